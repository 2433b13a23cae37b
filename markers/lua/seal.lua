-- Keeps one checkpoint of the ledger, once, and only behind the one it follows.
-- KEYS: positions, checkpoints. ARGV: store id, size of the checkpoint before, size of this one, signed note.
-- Replies {'done'}, {'repeated'}; or, with nothing written: {'sealed', size of the last}, {'other'},
-- {'ahead', 'ledger', sequence}.

local found = redis.call('HMGET', KEYS[1], '.store', '.ledger')
if found[1] ~= ARGV[1] then
  return {'other'}
end
local before, size, note = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local sequence = tonumber(found[2] or '0')
if sequence < size then
  return {'ahead', 'ledger', whole(sequence)}
end
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local last = newest and tonumber(string.match(newest[1], '^%d+')) or 0
if last == size and newest[2][2] == note then
  return {'repeated'}
elseif last ~= before or size <= before then
  return {'sealed', whole(last)}
end
redis.call('XADD', KEYS[2], whole(size) .. '-0', 'note', note)
return {'done'}
