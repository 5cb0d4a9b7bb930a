-- What went over the links of the node itself?
-- Parameters: $lo, $hi (µs of UTC).  Views: links, speeds.
-- Columns: link, t0_us, t1_us, received_bytes, sent_bytes (received: into the NAS). NULL where unknown.
--
-- Those are its own of which anybody told what they can carry, or that they do not say it.
SELECT link, t0_us, t1_us, received_bytes, sent_bytes
FROM links WHERE t1_us > $lo AND t0_us < $hi AND link IN (SELECT link FROM speeds)
ORDER BY link, t0_us
