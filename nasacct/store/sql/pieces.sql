-- A view of several others, each over a span of its own.
-- {view} and {pieces} are filled in by nasacct/store/views.py.
CREATE TEMP VIEW {view} AS
{pieces}
