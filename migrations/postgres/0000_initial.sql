CREATE TABLE "auditors" (
	"name" text PRIMARY KEY NOT NULL,
	"token_hash" "bytea" NOT NULL,
	"role" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"revoked_at" bigint,
	"signed_out_at" bigint,
	CONSTRAINT "auditors_token_hash_unique" UNIQUE("token_hash"),
	CONSTRAINT "auditors_token_hash_length" CHECK (length("auditors"."token_hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"public_key" "bytea" NOT NULL,
	"name" text,
	"platform" text,
	"created_at" bigint NOT NULL,
	"last_seen_at" bigint NOT NULL,
	"revoked_at" bigint,
	CONSTRAINT "devices_public_key_length" CHECK (length("devices"."public_key") = 32)
);
--> statement-breakpoint
CREATE TABLE "events" (
	"user_id" text NOT NULL,
	"id" "bytea" NOT NULL,
	"sequence" bigint NOT NULL,
	"payload_wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	CONSTRAINT "events_key" PRIMARY KEY("user_id","id"),
	CONSTRAINT "events_id_length" CHECK (length("events"."id") = 16)
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"user_id" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"started_at" bigint NOT NULL,
	"completed_at" bigint,
	"response_wrapped" "bytea",
	"expires_at" bigint NOT NULL,
	CONSTRAINT "idempotency_keys_key" PRIMARY KEY("user_id","key"),
	CONSTRAINT "idempotency_keys_fingerprint_length" CHECK (length("idempotency_keys"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE TABLE "login_codes" (
	"hash" "bytea" PRIMARY KEY NOT NULL,
	"expires_at" bigint NOT NULL,
	CONSTRAINT "login_codes_hash_length" CHECK (length("login_codes"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "nonces" (
	"scope" text NOT NULL,
	"nonce" "bytea" NOT NULL,
	"expires_at" bigint NOT NULL,
	CONSTRAINT "nonces_key" PRIMARY KEY("scope","nonce"),
	CONSTRAINT "nonces_nonce_length" CHECK (length("nonces"."nonce") = 16)
);
--> statement-breakpoint
CREATE TABLE "outboxes" (
	"user_id" text PRIMARY KEY NOT NULL,
	"first_sequence" bigint NOT NULL,
	"last_sequence" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "service_keys" (
	"kid" text NOT NULL,
	"kind" text NOT NULL,
	"public_key" "bytea" NOT NULL,
	"secret_wrapped" "bytea" NOT NULL,
	"not_before" bigint NOT NULL,
	"not_after" bigint NOT NULL,
	"created_at" bigint NOT NULL,
	CONSTRAINT "service_keys_key" PRIMARY KEY("kind","kid")
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" "bytea" PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"device_id" text NOT NULL,
	"app" text NOT NULL,
	"c2s_wrapped" "bytea" NOT NULL,
	"s2c_wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"last_seen_at" bigint NOT NULL,
	"ended_at" bigint,
	"end_reason" text,
	"required_acr" text,
	CONSTRAINT "sessions_id_length" CHECK (length("sessions"."id") = 16)
);
--> statement-breakpoint
CREATE TABLE "soter_counters" (
	"id" "bytea" PRIMARY KEY NOT NULL,
	"counter" bigint NOT NULL,
	"updated_at" bigint NOT NULL,
	CONSTRAINT "soter_counters_id_length" CHECK (length("soter_counters"."id") = 32)
);
--> statement-breakpoint
CREATE TABLE "step_up_challenges" (
	"challenge" "bytea" PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"device_id" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"expires_at" bigint NOT NULL,
	"used_at" bigint,
	CONSTRAINT "step_up_challenges_challenge_length" CHECK (length("step_up_challenges"."challenge") = 32),
	CONSTRAINT "step_up_challenges_fingerprint_length" CHECK (length("step_up_challenges"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE TABLE "subject_keys" (
	"subject_index" "bytea" PRIMARY KEY NOT NULL,
	"key_wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tlog_checkpoints" (
	"log" bigint NOT NULL,
	"size" bigint NOT NULL,
	"signed_at" bigint NOT NULL,
	"note" text NOT NULL,
	"cosignatures" text NOT NULL,
	"timestamp_token" "bytea",
	CONSTRAINT "tlog_checkpoints_key" PRIMARY KEY("log","size")
);
--> statement-breakpoint
CREATE TABLE "tlog_entries" (
	"global_index" bigint PRIMARY KEY NOT NULL,
	"id" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	"leaf" "bytea" NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"result" text NOT NULL,
	"code" text,
	"app" text,
	"user_blind_index" "bytea",
	"device_blind_index" "bytea",
	"ip_blind_index" "bytea",
	"path_blind_index" "bytea",
	"area_blind_index" "bytea",
	"detail" "bytea",
	"detail_expires_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tlog_hourly_counts" (
	"hour" bigint NOT NULL,
	"kind" text NOT NULL,
	"result" text NOT NULL,
	"code" text NOT NULL,
	"entries" bigint NOT NULL,
	CONSTRAINT "tlog_hourly_counts_key" PRIMARY KEY("hour","kind","result","code")
);
--> statement-breakpoint
CREATE TABLE "tlog_intents" (
	"id" "bytea" PRIMARY KEY NOT NULL,
	"user_blind_index" "bytea",
	"draft" "bytea" NOT NULL,
	"started_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tlog_pending" (
	"id" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	"leaf" "bytea" NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"result" text NOT NULL,
	"code" text,
	"app" text,
	"user_blind_index" "bytea",
	"device_blind_index" "bytea",
	"ip_blind_index" "bytea",
	"path_blind_index" "bytea",
	"area_blind_index" "bytea",
	"detail" "bytea",
	"detail_expires_at" bigint NOT NULL,
	"mac" "bytea",
	CONSTRAINT "tlog_pending_key" PRIMARY KEY("id"),
	CONSTRAINT "tlog_pending_hash_length" CHECK (length("tlog_pending"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "tlog_states" (
	"log" bigint PRIMARY KEY NOT NULL,
	"origin" text NOT NULL,
	"size" bigint NOT NULL,
	"root" "bytea" NOT NULL,
	"mac" "bytea",
	CONSTRAINT "tlog_states_root_length" CHECK (length("tlog_states"."root") = 32)
);
--> statement-breakpoint
CREATE TABLE "tlog_tiles" (
	"log" bigint NOT NULL,
	"level" bigint NOT NULL,
	"tile_index" bigint NOT NULL,
	"hashes" "bytea" NOT NULL,
	CONSTRAINT "tlog_tiles_key" PRIMARY KEY("log","level","tile_index")
);
--> statement-breakpoint
CREATE TABLE "tlog_witnesses" (
	"name" text PRIMARY KEY NOT NULL,
	"log" bigint NOT NULL,
	"size" bigint NOT NULL,
	"cosigned_at" bigint,
	"tried_at" bigint NOT NULL,
	"failure" text
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" text PRIMARY KEY NOT NULL,
	"app" text NOT NULL,
	"openid_wrapped" "bytea" NOT NULL,
	"session_key_wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL,
	"updated_at" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "devices" ADD CONSTRAINT "devices_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "outboxes" ADD CONSTRAINT "outboxes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_device_id_devices_id_fk" FOREIGN KEY ("device_id") REFERENCES "public"."devices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "devices_user" ON "devices" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "events_sequence" ON "events" USING btree ("user_id","sequence");--> statement-breakpoint
CREATE INDEX "events_expires" ON "events" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_expires" ON "idempotency_keys" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "login_codes_expires" ON "login_codes" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "nonces_expires" ON "nonces" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE INDEX "sessions_expires" ON "sessions" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "sessions_ended" ON "sessions" USING btree ("ended_at") WHERE ended_at is not null;--> statement-breakpoint
CREATE INDEX "step_up_challenges_expires" ON "step_up_challenges" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "tlog_entries_id" ON "tlog_entries" USING btree ("id");--> statement-breakpoint
CREATE UNIQUE INDEX "tlog_entries_hash" ON "tlog_entries" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "tlog_entries_at" ON "tlog_entries" USING btree ("at");--> statement-breakpoint
CREATE INDEX "tlog_entries_kind" ON "tlog_entries" USING btree ("kind","global_index");--> statement-breakpoint
CREATE INDEX "tlog_entries_result" ON "tlog_entries" USING btree ("result","global_index") WHERE result <> 'ok';--> statement-breakpoint
CREATE INDEX "tlog_entries_code" ON "tlog_entries" USING btree ("code","global_index") WHERE code is not null;--> statement-breakpoint
CREATE INDEX "tlog_entries_user" ON "tlog_entries" USING btree ("user_blind_index","global_index") WHERE user_blind_index is not null;--> statement-breakpoint
CREATE INDEX "tlog_entries_device" ON "tlog_entries" USING btree ("device_blind_index","global_index") WHERE device_blind_index is not null;--> statement-breakpoint
CREATE INDEX "tlog_entries_ip" ON "tlog_entries" USING btree ("ip_blind_index","global_index") WHERE ip_blind_index is not null;--> statement-breakpoint
CREATE INDEX "tlog_entries_path" ON "tlog_entries" USING btree ("path_blind_index","global_index") WHERE path_blind_index is not null;--> statement-breakpoint
CREATE INDEX "tlog_entries_area" ON "tlog_entries" USING btree ("area_blind_index","global_index") WHERE area_blind_index is not null;--> statement-breakpoint
CREATE INDEX "tlog_entries_detail_expires" ON "tlog_entries" USING btree ("detail_expires_at") WHERE detail is not null;--> statement-breakpoint
CREATE INDEX "tlog_intents_started" ON "tlog_intents" USING btree ("started_at");