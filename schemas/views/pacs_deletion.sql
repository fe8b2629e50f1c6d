CREATE OR REPLACE VIEW fahr.pacs_deletion AS
SELECT photo.photo_id, photo.source, photo.person_id, photo.captured_at::date AS captured_on, held.gone_since
FROM fahr.pacs_photo_v1 AS held
JOIN fahr.photo_v1 AS photo USING (photo_id)
WHERE held.gone_since IS NOT NULL;
COMMENT ON VIEW fahr.pacs_deletion IS 'Photos that a PACS listed once and no longer holds. Their scores stay until the hospital removes them.';
COMMENT ON COLUMN fahr.pacs_deletion.photo_id IS 'Our own number of the photo.';
COMMENT ON COLUMN fahr.pacs_deletion.captured_on IS 'Day the photo was taken; null where unknown.';
COMMENT ON COLUMN fahr.pacs_deletion.gone_since IS 'First night on which the PACS no longer held it.';
