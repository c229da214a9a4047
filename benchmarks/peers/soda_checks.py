"""Soda's contracts of many tables: ``soda_checks.py FILE OUT TABLE…``."""

import json
import sys
import time
from pathlib import Path

from soda_core.common import data_source_connection
from soda_core.common.yaml import ContractYamlSource, DataSourceYamlSource
from soda_core.contracts.contract_verification import ContractVerificationSession

CONTRACT = """
dataset: bench/{schema}/{table}
checks:
  - row_count:
      threshold: {{must_be_greater_than: 0}}
columns:
  - name: ID
    checks: [{{missing: }}, {{duplicate: }}]
  - name: ORIGIN
    checks:
      - invalid:
          valid_values: [EWR, JFK, LGA]
  - name: PRICE
    checks: [{{missing: }}]
"""


def main() -> None:
    """One session, timed."""
    path, out, *tables = sys.argv[1:]
    asked = []
    connection = data_source_connection.DataSourceConnection
    query = connection.execute_query

    def counted(self, sql, *more, **said):
        asked.append(sql)
        return query(self, sql, *more, **said)

    connection.execute_query = counted
    source = DataSourceYamlSource.from_str(
        f"type: duckdb\nname: bench\nconnection:\n  database: {path}\n"
    )
    contracts = [
        ContractYamlSource.from_str(
            CONTRACT.format(schema="ANALYTICS", table=one.upper())
        )
        for one in tables
    ]
    began = time.perf_counter()
    result = ContractVerificationSession.execute(
        contract_yaml_sources=contracts, data_source_yaml_sources=[source]
    )
    seconds = time.perf_counter() - began
    outcomes = [
        (name, check.outcome.name)
        for name, one in zip(tables, result.contract_verification_results, strict=True)
        for check in one.check_results
    ]
    if len(outcomes) != 5 * len(tables):
        sys.exit(result.get_errors_str())
    document = {
        "seconds": seconds,
        "statements": len(asked),
        "failing": [name for name, outcome in outcomes if outcome != "PASSED"],
    }
    Path(out).write_text(json.dumps(document))


if __name__ == "__main__":
    main()
