"""The shared word: what streams may be called, and their columns."""

import pytest

from nasacct.store.schema import STREAMS
from nasacct.store.tables import readings_schema, rollup_schema, usage_schema


@pytest.mark.parametrize("stream", STREAMS.values(), ids=lambda stream: stream.name)
def test_no_column_has_two_meanings(stream):
    """A key or a measure that is called as a column which every table has could not be asked for."""
    for schema in (readings_schema(stream), usage_schema(stream), rollup_schema(stream)):
        assert len(set(schema.names)) == len(schema.names)
