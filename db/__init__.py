"""The contract between the write side (`etl`) and the read side (`dashboard`), and the only place that knows SQL.

Others hold an `Engine` or a `Connection` and hand it back; they import the types from here.
"""

from sqlalchemy import Connection as Connection
from sqlalchemy import Engine as Engine
