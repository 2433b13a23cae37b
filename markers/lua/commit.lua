-- The one commit: every check first, then every write. A script that fails half-way is not undone, so nothing below
-- the line "writes" may fail: each key's type, each stream's last id and each header is read and proved above it.
--
-- KEYS: request, positions, ledger, then records, changes, tokens of each collection.
-- ARGV: store id, fingerprint of the content, milliseconds a reply is kept, most changes told, changes kept,
--       number of collections, entries, writes; the fence: a sequence the ledger must have reached; then
--       a collection: name, expected position or '';
--       an entry:     its id, sealed;
--       a write:      collection number, record id, expected version, new version, 'set' or 'erase', tokens, sealed.
-- A record is kept as '<version> <tokens with commas>:<sealed>'.
--
-- Replies {'done', reply}, {'repeated', reply} (only kept longer); or, with nothing written:
-- {'moved', {collection, position, changes or false}, ...}, {'version', collection, id, found}, {'taken', token, id},
-- {'reused'}, {'retired'}, {'other'}, {'ahead', collection, position}, {'broken', what}.
-- reply is 'collection=position ...|sequence ...'.

local request, positions, ledger = KEYS[1], KEYS[2], KEYS[3]
local fingerprint, kept_for, most, kept = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local collections, entries, writes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local at_collections, at_entries = 9, 9 + 2 * collections
local at_writes = at_entries + 2 * entries

local fields = {'.store', '.ledger'}
for c = 1, collections do
  fields[c + 2] = ARGV[at_collections + 2 * c - 1]
end
fields[collections + 3] = '.retired'
local found = redis.call('HMGET', positions, unpack(fields))
if found[1] ~= ARGV[1] then
  return {'other'}
end

local sequence = tonumber(found[2] or '0')
if sequence < tonumber(ARGV[9]) then
  return {'ahead', 'ledger', whole(sequence)}
end

local before = redis.call('GET', request)
if before then
  local seen, reply = string.match(before, '^(%x+) (.*)$')
  if seen ~= fingerprint then
    return {'reused'}
  end
  redis.call('PEXPIRE', request, kept_for)  -- a write, so that replicas can be asked to confirm what came before it
  return {'repeated', reply}
end

-- A key rotation has set these keys aside: what they seal must be sealed anew and sent again.
local retired = found[collections + 3]
local function set_aside(sealed)
  return #sealed > 6 and string.find(retired, key_id(sealed), 1, true)
end
if retired then
  for e = 1, entries do
    if set_aside(ARGV[at_entries + 2 * e]) then
      return {'retired'}
    end
  end
  for w = 1, writes do
    if set_aside(ARGV[at_writes + 7 * w]) then
      return {'retired'}
    end
  end
end

local function key(collection, part)
  return KEYS[3 * collection + part]
end
local RECORDS, CHANGES, TOKENS = 1, 2, 3

local position, moved = {}, {}
for c = 1, collections do
  local name, expected = fields[c + 2], ARGV[at_collections + 2 * c]
  position[c] = tonumber(found[c + 2] or '0')
  if expected ~= '' then
    local after = tonumber(expected)
    if after > position[c] then
      return {'ahead', name, whole(position[c])}
    elseif after < position[c] then
      local few = position[c] - after <= most
      local told = few and changed(key(c, RECORDS), key(c, CHANGES), after, position[c])
      moved[#moved + 1] = {name, whole(position[c]), told}
    end
  end
end
if #moved > 0 then
  return {'moved', unpack(moved)}
end

local function write(w)
  return unpack(ARGV, at_writes + 7 * w - 6, at_writes + 7 * w)
end

local written, given_up, held_by = {}, {}, {}
for w = 1, writes do
  local number, id, expected, _, _, tokens = write(w)
  local c = tonumber(number)
  local value = redis.call('HGET', key(c, RECORDS), id)
  local version, held = '0', ''
  if value then
    version, held = string.match(value, '^(%d+) ([%x,]*):')
  end
  if version == nil then
    return {'broken', fields[c + 2] .. ' ' .. id}
  end
  if version ~= expected then
    return {'version', fields[c + 2], id, version}
  end
  written[c] = (written[c] or 0) + 1
  held_by[w] = held
  for token in string.gmatch(held, '%x+') do
    given_up[number .. token] = id
  end
  for token in string.gmatch(tokens, '%x+') do
    if given_up[number .. token] == id then
      given_up[number .. token] = nil
    end
  end
end
for w = 1, writes do
  local number, id, _, _, _, tokens = write(w)
  for token in string.gmatch(tokens, '%x+') do
    local holder = redis.call('HGET', key(tonumber(number), TOKENS), token)
    if holder and holder ~= id and given_up[number .. token] ~= holder then
      return {'taken', token, holder}
    end
  end
end
for c in pairs(written) do
  redis.call('HLEN', key(c, TOKENS))
  if redis.call('EXISTS', key(c, CHANGES)) == 1 then
    local about = redis.call('XINFO', 'STREAM', key(c, CHANGES))
    for i = 1, #about, 2 do
      if about[i] == 'last-generated-id' and tonumber(string.match(about[i + 1], '^%d+')) > position[c] then
        return {'broken', 'change stream of ' .. fields[c + 2]}
      end
    end
  end
end

-- writes. The ledger goes first: its own check of the sequence number then still comes before any effect.

local sequences = {}
for e = 1, entries do
  sequence = sequence + 1
  local id, sealed = ARGV[at_entries + 2 * e - 1], ARGV[at_entries + 2 * e]
  redis.call('XADD', ledger, whole(sequence) .. '-0', 'id', id, 'entry', sealed)
  sequences[e] = whole(sequence)
end

for w = 1, writes do
  local number, _, _, _, _, tokens = write(w)
  if held_by[w] ~= tokens then
    for token in string.gmatch(held_by[w], '%x+') do
      redis.call('HDEL', key(tonumber(number), TOKENS), token)
    end
  end
end
for w = 1, writes do
  local number, id, _, version, act, tokens, sealed = write(w)
  local c = tonumber(number)
  if held_by[w] ~= tokens then
    for token in string.gmatch(tokens, '%x+') do
      redis.call('HSET', key(c, TOKENS), token, id)
    end
  end
  if act == 'set' then
    redis.call('HSET', key(c, RECORDS), id, version .. ' ' .. tokens .. ':' .. sealed)
  else
    redis.call('HDEL', key(c, RECORDS), id)
  end
  position[c] = position[c] + 1
  redis.call('XADD', key(c, CHANGES), 'MAXLEN', '~', kept, whole(position[c]) .. '-0', 'id', id, 'version', version)
end

local now_at = {}
for c = 1, collections do
  if written[c] then
    redis.call('HSET', positions, fields[c + 2], whole(position[c]))
    now_at[#now_at + 1] = fields[c + 2] .. '=' .. whole(position[c])
  end
end
if entries > 0 then
  redis.call('HSET', positions, '.ledger', whole(sequence))
end
local reply = table.concat(now_at, ' ') .. '|' .. table.concat(sequences, ' ')
if entries + writes > 0 then
  redis.call('SET', request, fingerprint .. ' ' .. reply, 'PX', kept_for)
end
return {'done', reply}
