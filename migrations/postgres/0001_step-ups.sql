CREATE TABLE "soter_counters" (
	"id" "bytea" PRIMARY KEY NOT NULL,
	"counter" bigint NOT NULL,
	"updated_at" bigint NOT NULL,
	CONSTRAINT "soter_counters_id_length" CHECK (length("soter_counters"."id") = 32)
);
--> statement-breakpoint
CREATE TABLE "step_ups" (
	"challenge" "bytea" PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"device_id" text NOT NULL,
	"fingerprint" "bytea" NOT NULL,
	"expires_at" bigint NOT NULL,
	"used_at" bigint,
	CONSTRAINT "step_ups_challenge_length" CHECK (length("step_ups"."challenge") = 32),
	CONSTRAINT "step_ups_fingerprint_length" CHECK (length("step_ups"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE INDEX "step_ups_expires" ON "step_ups" USING btree ("expires_at");