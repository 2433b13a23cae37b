-- One page of what changed in a collection, read at one moment.
-- KEYS: positions, records, changes. ARGV: store id, collection, after, most changes in a page, the fence: a sequence the ledger must have reached.
-- Replies {'told', position reached, position of the collection, changes}, {'reload', position},
-- {'ahead', position} or {'other'}.

local found = redis.call('HMGET', KEYS[1], '.store', ARGV[2], '.ledger')
if found[1] ~= ARGV[1] then
  return {'other'}
end
local position, after, most = tonumber(found[2] or '0'), tonumber(ARGV[3]), tonumber(ARGV[4])
if after > position then
  return {'ahead', whole(position)}
end
local sequence = tonumber(found[3] or '0')
if sequence < tonumber(ARGV[5]) then
  return {'ahead', 'ledger', whole(sequence)}
end
local upto = math.min(position, after + most)
local told = changed(KEYS[2], KEYS[3], after, upto)
if not told then
  return {'reload', whole(position)}
end
return {'told', whole(upto), whole(position), told}
