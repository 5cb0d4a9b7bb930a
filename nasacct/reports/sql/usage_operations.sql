-- How often was each operation done in each step, as far as no edge of a step cuts what counts it?
-- Parameters: $server (NULL: all).  Views: ops or inside.
-- {rows}: the view with lo and hi of the step in which each part lies, or begins or ends; inside: whether it lies in it
-- (nasacct/reports/steps.py). Filled in: sums, of every counter C, C and C_unknown (nasacct/reports/operations.py).
-- Columns: node, lo (of the step, µs of UTC), inside; C (the sum of what is known), C_unknown (how many parts are not).
SELECT node, lo,
       {inside} AS inside,
       {sums}
FROM {rows}
WHERE server IS NOT NULL AND ($server IS NULL OR server = $server)
GROUP BY ALL
