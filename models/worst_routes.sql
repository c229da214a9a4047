-- {"description": "The five routes of each day with the longest mean delay", "materialized": "dynamic_table", "target_lag": "1 hour"}
with routes as (
  select
    date_trunc('day', time_hour) as day, origin, dest,
    count(*) as flights, avg(dep_delay) as delay
  from {{ ref('flights') }}
  group by 1, 2, 3
)
select day, origin, dest, flights, delay
from routes
where delay is not null
qualify row_number() over (partition by day order by delay desc, origin, dest) <= 5
