-- {"description": "Planes that flew from New York and are not in the register", "columns": {"flights": "departures planned", "last_seen": "the hour of its newest flight"}, "quality": [{"metric": "nullValues", "column": "tailnum", "mustBe": 0}, {"metric": "duplicateValues", "column": "tailnum", "mustBe": 0, "severity": "warn"}]}
select f.tailnum, min(f.carrier) as carrier, count(*) as flights, max(f.time_hour) as last_seen
from {{ ref('flights') }} f
left join {{ ref('planes') }} p on p.tailnum = f.tailnum
where p.tailnum is null and f.tailnum is not null
group by f.tailnum
