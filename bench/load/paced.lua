-- For wrk: each connection waits before each request, a random time of up to so many milliseconds (`wrk … URL -- 12.5`),
-- so that requests come at a rate that does not depend on when the answers come.
function init(args)
  longest = tonumber(args[1])
end

function delay()
  return math.floor(math.random() * longest + 0.5)
end
