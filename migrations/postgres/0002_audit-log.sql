CREATE TABLE "auditors" (
	"name" text PRIMARY KEY NOT NULL,
	"token_hash" "bytea" NOT NULL,
	"role" text NOT NULL,
	"created_at" bigint NOT NULL,
	"expires_at" bigint NOT NULL,
	"revoked_at" bigint,
	CONSTRAINT "auditors_token_hash_unique" UNIQUE("token_hash"),
	CONSTRAINT "auditors_token_hash_length" CHECK (length("auditors"."token_hash") = 32)
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
	CONSTRAINT "tlog_pending_key" PRIMARY KEY("id"),
	CONSTRAINT "tlog_pending_hash_length" CHECK (length("tlog_pending"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "tlog_states" (
	"log" bigint PRIMARY KEY NOT NULL,
	"origin" text NOT NULL,
	"size" bigint NOT NULL,
	"root" "bytea" NOT NULL,
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
CREATE TABLE "subject_keys" (
	"subject_index" "bytea" PRIMARY KEY NOT NULL,
	"key_wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
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
CREATE INDEX "tlog_entries_until" ON "tlog_entries" USING btree ("detail_expires_at") WHERE detail is not null;--> statement-breakpoint
CREATE INDEX "tlog_intents_started" ON "tlog_intents" USING btree ("started_at");