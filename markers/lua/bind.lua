-- Ties an empty area to a key ring, or hands back the proof an earlier bind left.
-- KEYS: proof, positions, ledger. ARGV: store id, sealed proof, schema.
-- Replies {store id, sealed proof, schema} as kept, {} when there is data that no proof vouches for, or {'restoring'}
-- while a restore into the area has not ended.

if redis.call('HEXISTS', KEYS[2], '.restoring') == 1 then
  return {'restoring'}
end
local id, proof = unpack(redis.call('HMGET', KEYS[1], 'id', 'proof'))
local named, schema = unpack(redis.call('HMGET', KEYS[2], '.store', '.schema'))
if proof then
  if named ~= id then
    return {}
  end
  return {id, proof, schema or '1'}
end
if redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3]) > 0 then
  return {}
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'proof', ARGV[2])
redis.call('HSET', KEYS[2], '.store', ARGV[1], '.schema', ARGV[3])
return {ARGV[1], ARGV[2], ARGV[3]}
