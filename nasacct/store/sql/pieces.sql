-- A view of several others, each over a span of its own.
-- {pieces} is filled in by nasacct/store/views.py.
{pieces}
