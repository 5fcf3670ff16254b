-- What wrk does besides its options, told through the environment, and the figures
-- as one line of JSON: those that wrk prints are rounded, and their units change.

local pause = tonumber(os.getenv("BENCH_PAUSE_MS") or "0")
local body = os.getenv("BENCH_BODY")
local tokens = os.getenv("BENCH_TOKENS")

if body then
  wrk.method = "POST"
  wrk.body = body
  wrk.headers["Content-Type"] = "application/json"
end

-- Put together before the run, so that wrk has the same work for each request.
if tokens then
  local requests, turn = {}, 0

  function init()
    for token in tokens:gmatch("%S+") do
      wrk.headers["Authorization"] = "Bearer " .. token
      requests[#requests + 1] = wrk.format()
    end
  end

  function request()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

-- Spread evenly around the mean, or the connections would fall into step.
if pause > 0 then
  function delay()
    return math.random(1, 2 * pause - 1)
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    'JSON {"requests": %d, "seconds": %.6f, "bytes": %d, "failed": %d, "p50": %d, "p90": %d, "p99": %d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, failed,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
