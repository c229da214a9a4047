-- {"description": "Departures of each hour and airport with the weather of that hour", "columns": {"flights": "departures planned", "delay": "mean delay in minutes, of those that left"}}
select
  f.origin, f.carrier, f.time_hour,
  count(*) as flights,
  avg(f.dep_delay) as delay,
  max(w.wind_speed) as wind_speed, max(w.visib) as visibility
from {{ ref('flights') }} f
left join {{ ref('weather') }} w on w.origin = f.origin and w.time_hour = f.time_hour
group by f.origin, f.carrier, f.time_hour
