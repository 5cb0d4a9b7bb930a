-- What did the clients of one server read, write and call, row by row?
-- Parameters: $server.  Views: nfsd.
-- Columns: those that are asked for, as in nasacct/store/view_columns.py.
SELECT * EXCLUDE (server) FROM nfsd WHERE server = $server
