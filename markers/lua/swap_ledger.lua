-- Puts the second ledger in the place of the first, once both hold the same entries.
-- The newest entries, sealed after the old keys were set aside, are taken over as they are.
-- KEYS: positions, ledger, second ledger. ARGV: store id, most entries taken over.
-- Replies {'swapped'}; or, with the first ledger as it was: {'behind'}, {'other'}, or {'unlike', entries of the first,
-- entries of the second}, and then the second is given up.

local id, sequence, retired = unpack(redis.call('HMGET', KEYS[1], '.store', '.ledger', '.retired'))
if id ~= ARGV[1] then
  return {'other'}
end
local last, most = last_of(KEYS[3]), tonumber(ARGV[2])
local newest = tonumber(sequence or '0')
if newest - last > most then
  return {'behind'}
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], whole(last + 1) .. '-0', '+')) do
  local sealed = entry[2][4]
  if #sealed <= 6 or string.find(retired or '', key_id(sealed), 1, true) then
    return {'behind'}
  end
  redis.call('XADD', KEYS[3], entry[1], unpack(entry[2]))
end
local first, second = redis.call('XLEN', KEYS[2]), redis.call('XLEN', KEYS[3])
if first ~= second or last_of(KEYS[2]) ~= last_of(KEYS[3]) then
  redis.call('UNLINK', KEYS[3])
  return {'unlike', whole(first), whole(second)}
end
if first > 0 then
  redis.call('RENAME', KEYS[3], KEYS[2])
end
return {'swapped'}
