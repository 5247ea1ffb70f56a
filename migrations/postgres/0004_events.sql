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
CREATE TABLE "outboxes" (
	"user_id" text PRIMARY KEY NOT NULL,
	"first" bigint NOT NULL,
	"last" bigint NOT NULL
);
--> statement-breakpoint
ALTER TABLE "outboxes" ADD CONSTRAINT "outboxes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "events_sequence" ON "events" USING btree ("user_id","sequence");--> statement-breakpoint
CREATE INDEX "events_expires" ON "events" USING btree ("expires_at");