// A map in National Grid metres over the gazetteer's homes and streets: nothing is asked of another host.
const L = window.L;
const STYLE = (name) => ({ className: `map__${name}`, interactive: false });

// `sent` makes a request's body. Returns the map and what renews its ground.
export function groundMap(element, sent) {
  const west = Number(element.dataset.west);
  const map = L.map(element, { crs: L.CRS.Simple, minZoom: -7, maxZoom: 4, zoomSnap: 0.5, attributionControl: false, zoomAnimation: false, fadeAnimation: false });
  map.fitBounds([
    [Number(element.dataset.south), west],
    [Number(element.dataset.north), Number(element.dataset.east)],
  ]);
  const under = L.layerGroup().addTo(map);
  const homes = L.canvas({ padding: 0.3 });
  let asked = null;
  let waiting = 0;

  async function ground() {
    asked?.abort();
    asked = new AbortController();
    const box = map.getBounds();
    const part = { west: box.getWest(), south: box.getSouth(), east: box.getEast(), north: box.getNorth() };
    try {
      const reply = await fetch("/premises/ground", { method: "POST", body: sent(part), signal: asked.signal });
      if (reply.ok) lay(await reply.json());
    } catch {
      // the map stays as it was; what is drawn on it is in metres all the same
    }
  }

  function lay({ outline, homes: known, streets }) {
    under.clearLayers();
    for (const ring of outline) L.polygon(ring.map(([east, north]) => [north, east]), STYLE("outline")).addTo(under);
    for (const [east, north, name] of known) {
      L.circleMarker([north, east], { renderer: homes, radius: 3, weight: 0, fillOpacity: 0.7, fillColor: "#7d8894" }).bindTooltip(document.createTextNode(name).textContent).addTo(under);
    }
    if (map.getZoom() > -2.5) {
      for (const [east, north, name] of streets) {
        const label = document.createElement("span");
        label.textContent = name;
        L.marker([north, east], { icon: L.divIcon({ className: "map__street", html: label, iconSize: null }), interactive: false, keyboard: false }).addTo(under);
      }
    }
  }

  map.on("moveend", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ground, 150);
  });
  return { map, ground };
}

// The outer ring and holes of a POLYGON or of each part of a MULTIPOLYGON, as [north, east]; empty for other text.
export function ringsOf(text) {
  if (!/^\s*(MULTI)?POLYGON/i.test(text)) return [];
  return [...text.matchAll(/\(([^()]+)\)/g)].map(([, ring]) => ring.split(",").map((corner) => corner.trim().split(/\s+/).map(Number).slice(0, 2).reverse()));
}

export function shapeOf(rings, east, north, radius, icon) {
  if (rings.length && rings.flat(2).every(Number.isFinite)) return L.polygon(rings, { className: "map__zone" });
  if (!Number.isFinite(east) || !Number.isFinite(north)) return null;
  if (radius > 0) return L.circle([north, east], { radius, className: "map__zone" });
  return L.marker([north, east], { icon });
}

// A drawn polygon as well-known text, its last corner the first again.
export function wktOf(layer) {
  const rings = layer.getLatLngs().map((ring) => [...ring, ring[0]].map(({ lat, lng }) => `${lng.toFixed(1)} ${lat.toFixed(1)}`).join(", "));
  return `POLYGON (${rings.map((ring) => `(${ring})`).join(", ")})`;
}
