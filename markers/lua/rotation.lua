-- Where a key rotation has got to.
-- KEYS: positions, second ledger. ARGV: store id, 'begin' | 'retire' | 'end', key ids.
-- begin: names the key that everything is being sealed with, unless a rotation is under way already.
-- retire: from now on no commit sealed with these keys is taken (commit.lua). end: the rotation is over.
-- Replies {'to', key id of the rotation under way or ''}, or {'other'}.

local id, to, retired = unpack(redis.call('HMGET', KEYS[1], '.store', '.rotating', '.retired'))
if id ~= ARGV[1] then
  return {'other'}
end
if ARGV[2] == 'begin' and not to then
  to = ARGV[3]
  redis.call('UNLINK', KEYS[2])
  redis.call('HSET', KEYS[1], '.rotating', to)
elseif ARGV[2] == 'retire' then
  for k = 3, #ARGV do
    if not string.find(retired or '', ARGV[k], 1, true) then
      retired = (retired and retired .. ',' or '') .. ARGV[k]
    end
  end
  redis.call('HSET', KEYS[1], '.retired', retired or '')
elseif ARGV[2] == 'end' and to == ARGV[3] then
  to = nil
  redis.call('HDEL', KEYS[1], '.rotating')
end
return {'to', to or ''}
