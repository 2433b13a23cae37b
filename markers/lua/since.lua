-- Shared by commit.lua and changes.lua, put in front of them by markers/store.py.

-- Numbers are doubles here: exact to 2^53, but tostring() shows only 14 digits.
local function whole(number)
  return string.format('%.0f', number)
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
