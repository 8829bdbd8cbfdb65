-- A store as version 2 of the tables wrote it, dumped by pg_dump.
CREATE TABLE calls (
    call_id character varying(64) NOT NULL,
    phone_id text,
    agent text,
    direction text,
    source text,
    carrier text,
    mode text,
    speed text,
    caller text,
    caller_hash text,
    caller_number text,
    callee text,
    callee_hash text,
    callee_number text,
    stt_provider text,
    stt_model text,
    llm_provider text,
    llm_model text,
    tts_provider text,
    tts_model text,
    end_reason text,
    error text,
    recording_path text,
    revision integer,
    stand_in json,
    started_at timestamp with time zone NOT NULL,
    duration_seconds double precision
);
CREATE TABLE events (
    call_id character varying(64) NOT NULL,
    number integer NOT NULL,
    at double precision,
    kind text NOT NULL,
    turn integer,
    data json
);
CREATE TABLE meta (
    key character varying(64) NOT NULL,
    value text NOT NULL
);
CREATE TABLE prices (
    id character varying(255) NOT NULL,
    service text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    valid_from text NOT NULL,
    usd_per_audio_minute double precision NOT NULL,
    usd_per_1k_characters double precision NOT NULL,
    usd_per_1m_input_tokens double precision NOT NULL,
    usd_per_1m_cached_input_tokens double precision NOT NULL,
    usd_per_1m_output_tokens double precision NOT NULL
);
CREATE TABLE revisions (
    phone_id character varying(64) NOT NULL,
    agent character varying(255) NOT NULL,
    number integer NOT NULL,
    content_id character varying(128) NOT NULL,
    parent integer,
    note text,
    created_at timestamp with time zone NOT NULL,
    content json,
    scope text
);
CREATE TABLE turns (
    call_id character varying(64) NOT NULL,
    number integer NOT NULL,
    turn integer,
    reply integer,
    revision integer,
    resumed integer,
    kind text,
    caller_text text,
    overlap_text text,
    agent_text text,
    heard_text text,
    error text,
    heard_estimated boolean,
    interrupted boolean,
    speech_started_at double precision,
    speech_ended_at double precision,
    vad_stopped_at double precision,
    endpointed_at double precision,
    stt_requested_at double precision,
    stt_final_at double precision,
    transcript_hooks_started_at double precision,
    transcript_hooks_ended_at double precision,
    failed_reply_ordered_at double precision,
    failed_reply_ended_at double precision,
    reply_ordered_at double precision,
    hooks_started_at double precision,
    hooks_ended_at double precision,
    llm_requested_at double precision,
    llm_first_token_at double precision,
    llm_finished_at double precision,
    sentence_started_at double precision,
    sentence_ready_at double precision,
    stages_started_at double precision,
    stages_ended_at double precision,
    tts_requested_at double precision,
    tts_first_byte_at double precision,
    tts_last_byte_at double precision,
    send_started_at double precision,
    sent_at double precision,
    played_at double precision,
    audible_at double precision,
    finished_at double precision,
    barge_in_started_at double precision,
    barge_in_at double precision,
    cleared_at double precision,
    edit_requested_at double precision,
    edit_effective_turn integer,
    tools json,
    usage json,
    guardrails json
);

INSERT INTO calls VALUES ('call_1', 'phone10000000000', 'reception', 'test', '2 lines', 'simulated', 'pipeline', 'real', '+1•••••4321', '0cfc76a035bf482d4d9b75fb25536f1c', NULL, '+1•••••1234', '88a0ad1a85b98120401eee17f683ef23', NULL, 'local', 'ear', 'acme', 'brain', 'local', 'joe', 'caller_hung_up', NULL, NULL, 1, '["stt"]', '2026-07-20 18:01:00+00', 6);
INSERT INTO calls VALUES ('call_2', 'phone10000000000', 'reception', 'test', '2 lines', 'simulated', 'pipeline', 'real', '+1•••••4321', '0cfc76a035bf482d4d9b75fb25536f1c', NULL, '+1•••••1234', '88a0ad1a85b98120401eee17f683ef23', NULL, 'local', 'ear', 'acme', 'brain', 'local', 'joe', 'caller_hung_up', NULL, NULL, 1, '["stt"]', '2026-07-20 18:02:00+00', 6);

INSERT INTO events VALUES ('call_1', 0, 0.2, 'turn_closed', 0, '{"kind": "greeting", "reply": 1, "interrupted": false}');
INSERT INTO events VALUES ('call_1', 1, 1, 'loop_stall', NULL, '{"started_at": 0.9, "seconds": 0.1, "cell": 3}');
INSERT INTO events VALUES ('call_1', 2, 5, 'turn_closed', 1, '{"kind": "caller", "reply": 2, "interrupted": true}');
INSERT INTO events VALUES ('call_2', 0, 0.2, 'turn_closed', 0, '{"kind": "greeting", "reply": 1, "interrupted": false}');
INSERT INTO events VALUES ('call_2', 1, 1, 'loop_stall', NULL, '{"started_at": 0.9, "seconds": 0.1, "cell": 3}');
INSERT INTO events VALUES ('call_2', 2, 5, 'turn_closed', 1, '{"kind": "caller", "reply": 2, "interrupted": true}');

INSERT INTO meta VALUES ('schema_version', '2');
INSERT INTO meta VALUES ('hash_key', '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');

INSERT INTO prices VALUES ('acme/brain/llm@2026-11-26#a8e0a88a', 'llm', 'acme', 'brain', '2026-11-26', 0, 0, 0.5, 0, 2);

INSERT INTO revisions VALUES ('phone10000000000', 'reception', 1, 'a1', NULL, '', '2026-07-20 18:00:00+00', '{"system_prompt": "Be kind.", "voice": "joe"}', 'next call');
INSERT INTO revisions VALUES ('phone10000000000', 'reception', 2, 'b2', 1, 'warmer', '2026-07-20 18:00:00+00', '{"system_prompt": "Be warm.", "voice": "joe"}', 'next call');

INSERT INTO turns VALUES ('call_1', 0, 0, 1, 1, 0, 'greeting', '', '', 'Good evening!', 'Good evening!', NULL, true, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.01, 0.1, NULL, NULL, NULL, NULL, 0.2, NULL, NULL, NULL, NULL, NULL, NULL, '[]', '[]', '[]');
INSERT INTO turns VALUES ('call_1', 1, 1, 2, 1, 1, 'caller', 'When is dinner?', 'mhm', 'From six to ten.', 'From six', NULL, false, true, 0.5, 2, 2.1, 2.32, 2.1, 2.25, NULL, NULL, NULL, NULL, 2.32, 2.321, 2.341, 2.342, 2.642, 3.2, 2.642, 2.842, NULL, NULL, 2.843, 2.963, 3.4, 2.964, 2.965, 3.005, 3.045, 5, NULL, NULL, NULL, NULL, NULL, '[{"id": "t1", "name": "hours", "arguments": "{\"day\": \"Monday\"}", "result": "six to ten", "error": null}, {"id": "t2", "name": "book", "arguments": "{}", "result": null, "error": "no table"}]', '[{"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 100, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}, {"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 0, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}]', '[]');
INSERT INTO turns VALUES ('call_2', 0, 0, 1, 1, 0, 'greeting', '', '', 'Good evening!', 'Good evening!', NULL, true, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0.01, 0.1, NULL, NULL, NULL, NULL, 0.2, NULL, NULL, NULL, NULL, NULL, NULL, '[]', '[]', '[]');
INSERT INTO turns VALUES ('call_2', 1, 1, 2, 2, 1, 'caller', 'When is dinner?', 'mhm', 'From six to ten.', 'From six', NULL, false, true, 0.5, 2, 2.1, 2.32, 2.1, 2.25, NULL, NULL, NULL, NULL, 2.32, 2.321, 2.341, 2.342, 2.642, 3.2, 2.642, 2.842, NULL, NULL, 2.843, 2.963, 3.4, 2.964, 2.965, 3.005, 3.045, 5, NULL, NULL, NULL, NULL, NULL, '[{"id": "t1", "name": "hours", "arguments": "{\"day\": \"Monday\"}", "result": "six to ten", "error": null}, {"id": "t2", "name": "book", "arguments": "{}", "result": null, "error": "no table"}]', '[{"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 100, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}, {"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 0, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}]', '[]');

ALTER TABLE ONLY calls
    ADD CONSTRAINT calls_pkey PRIMARY KEY (call_id);

ALTER TABLE ONLY events
    ADD CONSTRAINT events_pkey PRIMARY KEY (call_id, number);

ALTER TABLE ONLY meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (key);

ALTER TABLE ONLY prices
    ADD CONSTRAINT prices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY revisions
    ADD CONSTRAINT revisions_pkey PRIMARY KEY (phone_id, agent, number);

ALTER TABLE ONLY turns
    ADD CONSTRAINT turns_pkey PRIMARY KEY (call_id, number);

CREATE INDEX ix_calls_started_at ON calls USING btree (started_at);

CREATE INDEX revisions_content ON revisions USING btree (content_id);

