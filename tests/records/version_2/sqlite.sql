-- A store as version 2 of the tables wrote it, dumped by sqlite3.
BEGIN TRANSACTION;
CREATE TABLE calls (
	call_id VARCHAR(64) NOT NULL,
	phone_id TEXT,
	agent TEXT,
	direction TEXT,
	source TEXT,
	carrier TEXT,
	mode TEXT,
	speed TEXT,
	caller TEXT,
	caller_hash TEXT,
	caller_number TEXT,
	callee TEXT,
	callee_hash TEXT,
	callee_number TEXT,
	stt_provider TEXT,
	stt_model TEXT,
	llm_provider TEXT,
	llm_model TEXT,
	tts_provider TEXT,
	tts_model TEXT,
	end_reason TEXT,
	error TEXT,
	recording_path TEXT,
	revision INTEGER,
	stand_in JSON,
	started_at DATETIME NOT NULL,
	duration_seconds FLOAT,
	PRIMARY KEY (call_id)
);
INSERT INTO "calls" VALUES('call_1','phone10000000000','reception','test','2 lines','simulated','pipeline','real','+1•••••4321','0cfc76a035bf482d4d9b75fb25536f1c',NULL,'+1•••••1234','88a0ad1a85b98120401eee17f683ef23',NULL,'local','ear','acme','brain','local','joe','caller_hung_up',NULL,NULL,1,'["stt"]','2026-07-20 18:01:00.000000',6.0);
INSERT INTO "calls" VALUES('call_2','phone10000000000','reception','test','2 lines','simulated','pipeline','real','+1•••••4321','0cfc76a035bf482d4d9b75fb25536f1c',NULL,'+1•••••1234','88a0ad1a85b98120401eee17f683ef23',NULL,'local','ear','acme','brain','local','joe','caller_hung_up',NULL,NULL,1,'["stt"]','2026-07-20 18:02:00.000000',6.0);
CREATE TABLE events (
	call_id VARCHAR(64) NOT NULL,
	number INTEGER NOT NULL,
	at FLOAT,
	kind TEXT NOT NULL,
	turn INTEGER,
	data JSON,
	PRIMARY KEY (call_id, number)
);
INSERT INTO "events" VALUES('call_1',0,0.2,'turn_closed',0,'{"kind": "greeting", "reply": 1, "interrupted": false}');
INSERT INTO "events" VALUES('call_1',1,1.0,'loop_stall',NULL,'{"started_at": 0.9, "seconds": 0.1, "cell": 3}');
INSERT INTO "events" VALUES('call_1',2,5.0,'turn_closed',1,'{"kind": "caller", "reply": 2, "interrupted": true}');
INSERT INTO "events" VALUES('call_2',0,0.2,'turn_closed',0,'{"kind": "greeting", "reply": 1, "interrupted": false}');
INSERT INTO "events" VALUES('call_2',1,1.0,'loop_stall',NULL,'{"started_at": 0.9, "seconds": 0.1, "cell": 3}');
INSERT INTO "events" VALUES('call_2',2,5.0,'turn_closed',1,'{"kind": "caller", "reply": 2, "interrupted": true}');
CREATE TABLE meta (
	"key" VARCHAR(64) NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('schema_version','2');
INSERT INTO "meta" VALUES('hash_key','0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
CREATE TABLE prices (
	id VARCHAR(255) NOT NULL,
	service TEXT NOT NULL,
	provider TEXT NOT NULL,
	model TEXT NOT NULL,
	valid_from TEXT NOT NULL,
	usd_per_audio_minute FLOAT NOT NULL,
	usd_per_1k_characters FLOAT NOT NULL,
	usd_per_1m_input_tokens FLOAT NOT NULL,
	usd_per_1m_cached_input_tokens FLOAT NOT NULL,
	usd_per_1m_output_tokens FLOAT NOT NULL,
	PRIMARY KEY (id)
);
INSERT INTO "prices" VALUES('acme/brain/llm@2026-11-26#a8e0a88a','llm','acme','brain','2026-11-26',0.0,0.0,0.5,0.0,2.0);
CREATE TABLE revisions (
	phone_id VARCHAR(64) NOT NULL,
	agent VARCHAR(255) NOT NULL,
	number INTEGER NOT NULL,
	content_id VARCHAR(128) NOT NULL,
	parent INTEGER,
	note TEXT,
	created_at DATETIME NOT NULL,
	content JSON,
	scope TEXT,
	PRIMARY KEY (phone_id, agent, number)
);
INSERT INTO "revisions" VALUES('phone10000000000','reception',1,'a1',NULL,'','2026-07-20 18:00:00.000000','{"system_prompt": "Be kind.", "voice": "joe"}','next call');
INSERT INTO "revisions" VALUES('phone10000000000','reception',2,'b2',1,'warmer','2026-07-20 18:00:00.000000','{"system_prompt": "Be warm.", "voice": "joe"}','next call');
CREATE TABLE turns (
	call_id VARCHAR(64) NOT NULL,
	number INTEGER NOT NULL,
	turn INTEGER,
	reply INTEGER,
	revision INTEGER,
	resumed INTEGER,
	kind TEXT,
	caller_text TEXT,
	overlap_text TEXT,
	agent_text TEXT,
	heard_text TEXT,
	error TEXT,
	heard_estimated BOOLEAN,
	interrupted BOOLEAN,
	speech_started_at FLOAT,
	speech_ended_at FLOAT,
	vad_stopped_at FLOAT,
	endpointed_at FLOAT,
	stt_requested_at FLOAT,
	stt_final_at FLOAT,
	transcript_hooks_started_at FLOAT,
	transcript_hooks_ended_at FLOAT,
	failed_reply_ordered_at FLOAT,
	failed_reply_ended_at FLOAT,
	reply_ordered_at FLOAT,
	hooks_started_at FLOAT,
	hooks_ended_at FLOAT,
	llm_requested_at FLOAT,
	llm_first_token_at FLOAT,
	llm_finished_at FLOAT,
	sentence_started_at FLOAT,
	sentence_ready_at FLOAT,
	stages_started_at FLOAT,
	stages_ended_at FLOAT,
	tts_requested_at FLOAT,
	tts_first_byte_at FLOAT,
	tts_last_byte_at FLOAT,
	send_started_at FLOAT,
	sent_at FLOAT,
	played_at FLOAT,
	audible_at FLOAT,
	finished_at FLOAT,
	barge_in_started_at FLOAT,
	barge_in_at FLOAT,
	cleared_at FLOAT,
	edit_requested_at FLOAT,
	edit_effective_turn INTEGER,
	tools JSON,
	usage JSON,
	guardrails JSON,
	PRIMARY KEY (call_id, number)
);
INSERT INTO "turns" VALUES('call_1',0,0,1,1,0,'greeting','','','Good evening!','Good evening!',NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.01,0.1,NULL,NULL,NULL,NULL,0.2,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]','[]');
INSERT INTO "turns" VALUES('call_1',1,1,2,1,1,'caller','When is dinner?','mhm','From six to ten.','From six',NULL,0,1,0.5,2.0,2.1,2.32,2.1,2.25,NULL,NULL,NULL,NULL,2.32,2.321,2.341,2.342,2.642,3.2,2.642,2.842,NULL,NULL,2.843,2.963,3.4,2.964,2.965,3.005,3.045,5.0,NULL,NULL,NULL,NULL,NULL,'[{"id": "t1", "name": "hours", "arguments": "{\"day\": \"Monday\"}", "result": "six to ten", "error": null}, {"id": "t2", "name": "book", "arguments": "{}", "result": null, "error": "no table"}]','[{"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 100, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}, {"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 0, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}]','[]');
INSERT INTO "turns" VALUES('call_2',0,0,1,1,0,'greeting','','','Good evening!','Good evening!',NULL,1,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.01,0.1,NULL,NULL,NULL,NULL,0.2,NULL,NULL,NULL,NULL,NULL,NULL,'[]','[]','[]');
INSERT INTO "turns" VALUES('call_2',1,1,2,2,1,'caller','When is dinner?','mhm','From six to ten.','From six',NULL,0,1,0.5,2.0,2.1,2.32,2.1,2.25,NULL,NULL,NULL,NULL,2.32,2.321,2.341,2.342,2.642,3.2,2.642,2.842,NULL,NULL,2.843,2.963,3.4,2.964,2.965,3.005,3.045,5.0,NULL,NULL,NULL,NULL,NULL,'[{"id": "t1", "name": "hours", "arguments": "{\"day\": \"Monday\"}", "result": "six to ten", "error": null}, {"id": "t2", "name": "book", "arguments": "{}", "result": null, "error": "no table"}]','[{"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 100, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}, {"service": "llm", "provider": "acme", "model": "brain", "audio_seconds": 0.0, "characters": 0, "input_tokens": 1000, "cached_input_tokens": 0, "output_tokens": 0, "price_id": "acme/brain/llm@2026-11-26#a8e0a88a"}]','[]');
CREATE INDEX ix_calls_started_at ON calls (started_at);
CREATE INDEX revisions_content ON revisions (content_id);
COMMIT;
