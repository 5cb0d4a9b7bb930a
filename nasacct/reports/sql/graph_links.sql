-- What did one server's link receive and send, row by row?
-- Parameters: $server.  Views: links.
-- Columns: those that are asked for, as in nasacct/store/view_columns.py.
SELECT * EXCLUDE (server) FROM links WHERE server = $server
