// Where a marker is: homes as one types an address, and an area, a circle or a point drawn on the map.
// The boxes are the form; the map only fills them in. Without this script they are typed.
import { groundMap, shapeOf, wktOf, ringsOf } from "./ground.js";

const byId = (id) => document.getElementById(id);
const form = byId("marker-form");
if (form) {
  complete(byId("address"));
  byId("draw")?.addEventListener("toggle", ({ target }) => target.open && draw(), { once: true });
}

function complete(box) {
  const holder = document.createElement("div");
  const described = box.getAttribute("aria-describedby");
  const value = box.value;
  box.replaceWith(holder);
  let waiting = 0;
  let asked = null;
  window.accessibleAutocomplete({
    element: holder,
    id: "address",
    name: "address",
    defaultValue: value,
    minLength: 3,
    autoselect: false,
    confirmOnBlur: false,
    showNoOptionsFound: false,
    displayMenu: "overlay",
    inputClasses: "govuk-input",
    templates: { inputValue: (home) => home?.address ?? "", suggestion: (home) => (home.address ? escaped([home.address, home.postcode].filter(Boolean).join(", ")) : escaped(home)) },
    source(query, populate) {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        asked?.abort();
        asked = new AbortController();
        try {
          const reply = await fetch("/premises/complete", { method: "POST", body: sent({ address: query }), signal: asked.signal });
          populate(reply.ok ? await reply.json() : []);
        } catch {
          populate([]); // what is typed stands by itself
        }
      }, 120);
    },
    onConfirm(home) {
      if (!home?.address) return;
      byId("postcode").value = home.postcode ?? "";
      byId("uprn").value = home.uprn ?? "";
    },
  });
  const input = byId("address");
  if (described) input.setAttribute("aria-describedby", described);
}

function escaped(text) {
  const span = document.createElement("span");
  span.textContent = text;
  return span.innerHTML;
}

function sent(fields) {
  return new URLSearchParams({ csrf_token: form.elements.csrf_token.value, ...fields });
}

function draw() {
  const says = byId("draw-says");
  const { map, ground } = groundMap(byId("map"), sent);
  let layer = null;
  // Handles are for the mouse alone: whoever uses keys changes the boxes, which say the same.
  new MutationObserver(() => {
    for (const handle of map.getPane("markerPane").querySelectorAll("[role=button]")) for (const name of ["role", "tabindex"]) handle.removeAttribute(name);
  }).observe(map.getPane("markerPane"), { childList: true, subtree: true });
  show();
  ground();

  for (const button of document.querySelectorAll("[data-draw]")) {
    button.addEventListener("click", () => {
      map.pm.disableDraw();
      if (button.dataset.draw === "clear") return clear();
      map.pm.enableDraw(button.dataset.draw, { snappable: false, tooltips: false, continueDrawing: false, markerStyle: { icon: dot() } });
      says.textContent = button.dataset.says;
      map.getContainer().focus();
    });
  }
  map.on("pm:create", ({ layer: drawn }) => {
    layer?.remove();
    put(drawn);
    fill();
    says.textContent = says.dataset.done;
  });
  for (const name of ["zone_wkt", "easting", "northing", "radius_m"]) byId(name).addEventListener("change", show);

  function put(drawn) {
    layer = drawn;
    layer.pm.enable({ snappable: false, allowSelfIntersection: false });
    layer.on("pm:edit pm:dragend pm:markerdragend", fill);
  }

  // From the boxes to the map, also when the form came back with something wrong in it.
  function show() {
    layer?.remove();
    layer = null;
    const [east, north, radius] = ["easting", "northing", "radius_m"].map((name) => Number.parseFloat(byId(name).value));
    const rings = ringsOf(byId("zone_wkt").value);
    const drawn = shapeOf(rings, east, north, radius, dot());
    if (!drawn) return;
    put(drawn.addTo(map));
    if (drawn.getBounds) map.fitBounds(drawn.getBounds(), { maxZoom: 1 });
    else map.setView(drawn.getLatLng(), 1);
  }

  function fill() {
    for (const name of ["zone_wkt", "easting", "northing", "radius_m"]) byId(name).value = "";
    if (layer.getLatLngs) byId("zone_wkt").value = wktOf(layer);
    else {
      const at = layer.getLatLng();
      byId("easting").value = at.lng.toFixed(1);
      byId("northing").value = at.lat.toFixed(1);
      if (layer.getRadius) byId("radius_m").value = Math.max(1, Math.round(layer.getRadius()));
    }
  }

  function clear() {
    layer?.remove();
    layer = null;
    for (const name of ["zone_wkt", "easting", "northing", "radius_m"]) byId(name).value = "";
    says.textContent = says.dataset.cleared;
  }
}

function dot() {
  return window.L.divIcon({ className: "map__dot", iconSize: [18, 18] });
}
