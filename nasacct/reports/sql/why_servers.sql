-- What did each server do in a span of time, how long did its calls take, and did its threads suffice?
-- Parameters: $lo, $hi (µs of UTC).  Views: nfsd, inside, inflight, links, ops.
-- Columns: node, server; calls, read_bytes, written_bytes (of nfsd); answered (calls), thread_us (of the inside: how long
-- they took together); sampled_us (how much of the time samples of calls in flight stand for), full_us (of this, in how
-- much all threads were busy); link_bytes (received and sent), link (its name); opens, removes (operations of NFSv4). NULL
-- where the source tells nothing.
--
-- Usage that reaches over an edge of the span counts pro rata.
WITH told AS (
    SELECT node, server, t0_us, t1_us, calls, read_bytes, written_bytes, CAST(NULL AS BIGINT) AS answered,
           CAST(NULL AS BIGINT) AS thread_us, CAST(NULL AS BIGINT) AS sampled_us, CAST(NULL AS BIGINT) AS full_us,
           CAST(NULL AS BIGINT) AS link_bytes, CAST(NULL AS VARCHAR) AS link,
           CAST(NULL AS BIGINT) AS opens, CAST(NULL AS BIGINT) AS removes
    FROM nfsd
    UNION ALL
    SELECT node, server, t0_us, t1_us, NULL, NULL, NULL, calls, thread_us, NULL, NULL, NULL, NULL, NULL, NULL
    FROM inside
    UNION ALL
    SELECT node, server, t0_us, t1_us, NULL, NULL, NULL, NULL, NULL, sampled_us, full_us, NULL, NULL, NULL, NULL
    FROM inflight WHERE operation IS NULL
    UNION ALL
    SELECT node, server, t0_us, t1_us, NULL, NULL, NULL, NULL, NULL, NULL, NULL, received_bytes + sent_bytes, link,
           NULL, NULL
    FROM links
    UNION ALL
    SELECT node, server, t0_us, t1_us, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, "open", remove FROM ops
),
parts AS (
    SELECT *, CASE WHEN t1_us > t0_us
                   THEN CAST(least(t1_us, $hi) - greatest(t0_us, $lo) AS DOUBLE) / (t1_us - t0_us)
                   ELSE 1 END AS share
    FROM told WHERE t1_us > $lo AND t0_us < $hi AND server IS NOT NULL
)
SELECT node, server,
       CAST(round(sum(calls * share)) AS BIGINT) AS calls,
       CAST(round(sum(read_bytes * share)) AS BIGINT) AS read_bytes,
       CAST(round(sum(written_bytes * share)) AS BIGINT) AS written_bytes,
       CAST(round(sum(answered * share)) AS BIGINT) AS answered,
       CAST(round(sum(thread_us * share)) AS BIGINT) AS thread_us,
       CAST(round(sum(sampled_us * share)) AS BIGINT) AS sampled_us,
       CAST(round(sum(full_us * share)) AS BIGINT) AS full_us,
       CAST(round(sum(link_bytes * share)) AS BIGINT) AS link_bytes,
       max(link) AS link,
       CAST(round(sum(opens * share)) AS BIGINT) AS opens,
       CAST(round(sum(removes * share)) AS BIGINT) AS removes
FROM parts
GROUP BY node, server
ORDER BY node, server
