-- What lists of tasks are filtered and sorted by stands in columns and in one index: the document of a task may be megabytes.
ALTER TABLE tasks ADD COLUMN func_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN caller TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN auth_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN trace_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN trigger_time_ms BIGINT NOT NULL DEFAULT 0;
UPDATE tasks SET
  func_id = COALESCE(json_extract(document, '$.funcId'), ''),
  caller = COALESCE(json_extract(document, '$.caller.name'), ''),
  auth_id = COALESCE(json_extract(document, '$.caller.authId'), ''),
  trace_id = COALESCE(json_extract(document, '$.traceId'), ''),
  trigger_time_ms = COALESCE(json_extract(document, '$.triggerTimeMs'), 0)
  WHERE json_valid(document);
CREATE INDEX tasks_listed ON tasks (trigger_time_ms, id, api_id, func_id, caller, auth_id, trace_id);
