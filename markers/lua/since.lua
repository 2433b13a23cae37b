-- Shared by every other file here, put in front of them by markers/store.py.

-- Numbers are doubles here: exact to 2^53, but tostring() shows only 14 digits.
local function whole(number)
  return string.format('%.0f', number)
end

-- The id of the key that sealed a blob, from its clear head: 'W1', then four bytes.
local function key_id(sealed)
  return string.format('%02x%02x%02x%02x', string.byte(sealed, 3, 6))
end

-- The last sequence number a ledger stream ever had; 0 when there is none.
local function last_of(stream)
  if redis.call('EXISTS', stream) == 0 then
    return 0
  end
  local about = redis.call('XINFO', 'STREAM', stream)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then
      return tonumber(string.match(about[i + 1], '^%d+'))
    end
  end
end

-- What changed after one position up to another, newest state of each record:
-- {id, version of its last change, value or false, id, ...}; false when the stream no longer holds it all.
local function changed(records, stream, after, upto)
  local entries = redis.call('XRANGE', stream, whole(after + 1) .. '-0', whole(upto) .. '-0')
  if #entries ~= upto - after then
    return false
  end
  local order, newest = {}, {}
  for _, entry in ipairs(entries) do
    local id, version = entry[2][2], entry[2][4]
    if not newest[id] then
      order[#order + 1] = id
    end
    newest[id] = version
  end
  local told = {}
  for _, id in ipairs(order) do
    told[#told + 1] = id
    told[#told + 1] = newest[id]
    told[#told + 1] = redis.call('HGET', records, id)
  end
  return told
end
