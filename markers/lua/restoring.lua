-- A restore into an empty area: begun, ended, or what it had put there taken away again. While '.restoring' stands in
-- positions nobody can use the area: bind.lua says so.
-- begin: KEYS: positions, proof, ledger, checkpoints. ARGV: 'begin', mark.
-- end:   KEYS: positions, proof. ARGV: 'end', mark, store id, sealed proof, then fields and values of positions.
-- clear: KEYS: positions, proof, then every key that the restore may have written. ARGV: 'clear', mark.
-- Replies {'begun'}, {'ended'}, {'cleared'}; or, with nothing changed: {'taken'}, {'under way', mark}.

local mark = redis.call('HGET', KEYS[1], '.restoring')
if ARGV[1] == 'begin' then
  if mark then
    return {'under way', mark}
  elseif redis.call('EXISTS', unpack(KEYS)) > 0 then
    return {'taken'}
  end
  redis.call('HSET', KEYS[1], '.restoring', ARGV[2])
  return {'begun'}
end
if mark ~= ARGV[2] or redis.call('EXISTS', KEYS[2]) > 0 then
  return {'taken'}
end
if ARGV[1] == 'clear' then
  for k = 3, #KEYS do
    redis.call('UNLINK', KEYS[k])
  end
  redis.call('DEL', KEYS[1])
  return {'cleared'}
end
redis.call('HDEL', KEYS[1], '.restoring')
redis.call('HSET', KEYS[1], '.store', ARGV[3], unpack(ARGV, 5))
redis.call('HSET', KEYS[2], 'id', ARGV[3], 'proof', ARGV[4])
return {'ended'}
