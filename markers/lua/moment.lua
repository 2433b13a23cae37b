-- What changed in every collection since it was read, and how far the area has come, all at one moment.
-- KEYS: positions, checkpoints, then records and changes of each collection.
-- ARGV: store id, most changes told, then a collection: name, the position it was read at.
-- Replies {'told', {field, value, ... of positions}, size of the newest checkpoint, {position reached, changes or
-- false} of each collection}, {'ahead', collection, position} or {'other'}.

local fields = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #fields, 2 do
  found[fields[i]] = fields[i + 1]
end
if found['.store'] ~= ARGV[1] then
  return {'other'}
end
local left, told = tonumber(ARGV[2]), {}
for c = 1, (#ARGV - 2) / 2 do
  local name, after = ARGV[2 * c + 1], tonumber(ARGV[2 * c + 2])
  local position = tonumber(found[name] or '0')
  if after > position then
    return {'ahead', name, whole(position)}
  end
  local upto = math.min(position, after + left)
  left = left - (upto - after)
  told[c] = {whole(upto), changed(KEYS[2 * c + 1], KEYS[2 * c + 2], after, upto)}
end
return {'told', fields, whole(last_of(KEYS[2])), told}
