-- {"description": "Departures of each hour, airport and airline with the weather of that hour", "columns": {"flights": "departures planned", "delay": "mean delay in minutes, of those that left"}}
select
  f.origin, f.carrier, a.name as airline, f.time_hour,
  count(*) as flights,
  avg(f.dep_delay) as delay,
  max(w.wind_speed) as wind_speed, max(w.visib) as visibility
from {{ ref('flights') }} f
left join {{ ref('airlines') }} a on a.carrier = f.carrier
left join {{ ref('weather') }} w on w.origin = f.origin and w.time_hour = f.time_hour
group by f.origin, f.carrier, a.name, f.time_hour
