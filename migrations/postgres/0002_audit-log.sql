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
CREATE TABLE "log_checkpoints" (
	"log" bigint NOT NULL,
	"size" bigint NOT NULL,
	"signed_at" bigint NOT NULL,
	"note" text NOT NULL,
	"cosignatures" text NOT NULL,
	"timestamp_token" "bytea",
	CONSTRAINT "log_checkpoints_key" PRIMARY KEY("log","size")
);
--> statement-breakpoint
CREATE TABLE "log_entries" (
	"place" bigint PRIMARY KEY NOT NULL,
	"id" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	"leaf" "bytea" NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"result" text NOT NULL,
	"code" text,
	"app" text,
	"user_tag" "bytea",
	"device_tag" "bytea",
	"ip_tag" "bytea",
	"path_tag" "bytea",
	"area_tag" "bytea",
	"detail" "bytea",
	"detail_until" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "log_hours" (
	"hour" bigint NOT NULL,
	"kind" text NOT NULL,
	"result" text NOT NULL,
	"code" text NOT NULL,
	"entries" bigint NOT NULL,
	CONSTRAINT "log_hours_key" PRIMARY KEY("hour","kind","result","code")
);
--> statement-breakpoint
CREATE TABLE "log_intents" (
	"id" "bytea" PRIMARY KEY NOT NULL,
	"user_tag" "bytea",
	"draft" "bytea" NOT NULL,
	"started_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "log_staged" (
	"id" "bytea" NOT NULL,
	"hash" "bytea" NOT NULL,
	"leaf" "bytea" NOT NULL,
	"at" bigint NOT NULL,
	"kind" text NOT NULL,
	"result" text NOT NULL,
	"code" text,
	"app" text,
	"user_tag" "bytea",
	"device_tag" "bytea",
	"ip_tag" "bytea",
	"path_tag" "bytea",
	"area_tag" "bytea",
	"detail" "bytea",
	"detail_until" bigint NOT NULL,
	CONSTRAINT "log_staged_key" PRIMARY KEY("id"),
	CONSTRAINT "log_staged_hash_length" CHECK (length("log_staged"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE "log_states" (
	"log" bigint PRIMARY KEY NOT NULL,
	"origin" text NOT NULL,
	"size" bigint NOT NULL,
	"root" "bytea" NOT NULL,
	CONSTRAINT "log_states_root_length" CHECK (length("log_states"."root") = 32)
);
--> statement-breakpoint
CREATE TABLE "log_tiles" (
	"log" bigint NOT NULL,
	"level" bigint NOT NULL,
	"tile_index" bigint NOT NULL,
	"hashes" "bytea" NOT NULL,
	CONSTRAINT "log_tiles_key" PRIMARY KEY("log","level","tile_index")
);
--> statement-breakpoint
CREATE TABLE "log_witnesses" (
	"name" text PRIMARY KEY NOT NULL,
	"log" bigint NOT NULL,
	"size" bigint NOT NULL,
	"cosigned_at" bigint,
	"tried_at" bigint NOT NULL,
	"failure" text
);
--> statement-breakpoint
CREATE TABLE "subject_keys" (
	"tag" "bytea" PRIMARY KEY NOT NULL,
	"key_wrapped" "bytea" NOT NULL,
	"created_at" bigint NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "log_entries_id" ON "log_entries" USING btree ("id");--> statement-breakpoint
CREATE UNIQUE INDEX "log_entries_hash" ON "log_entries" USING btree ("hash");--> statement-breakpoint
CREATE INDEX "log_entries_at" ON "log_entries" USING btree ("at");--> statement-breakpoint
CREATE INDEX "log_entries_kind" ON "log_entries" USING btree ("kind","place");--> statement-breakpoint
CREATE INDEX "log_entries_result" ON "log_entries" USING btree ("result","place") WHERE result <> 'ok';--> statement-breakpoint
CREATE INDEX "log_entries_code" ON "log_entries" USING btree ("code","place") WHERE code is not null;--> statement-breakpoint
CREATE INDEX "log_entries_user" ON "log_entries" USING btree ("user_tag","place") WHERE user_tag is not null;--> statement-breakpoint
CREATE INDEX "log_entries_device" ON "log_entries" USING btree ("device_tag","place") WHERE device_tag is not null;--> statement-breakpoint
CREATE INDEX "log_entries_ip" ON "log_entries" USING btree ("ip_tag","place") WHERE ip_tag is not null;--> statement-breakpoint
CREATE INDEX "log_entries_path" ON "log_entries" USING btree ("path_tag","place") WHERE path_tag is not null;--> statement-breakpoint
CREATE INDEX "log_entries_area" ON "log_entries" USING btree ("area_tag","place") WHERE area_tag is not null;--> statement-breakpoint
CREATE INDEX "log_entries_until" ON "log_entries" USING btree ("detail_until") WHERE detail is not null;--> statement-breakpoint
CREATE INDEX "log_intents_started" ON "log_intents" USING btree ("started_at");