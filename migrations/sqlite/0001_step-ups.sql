CREATE TABLE `soter_counters` (
	`id` blob PRIMARY KEY NOT NULL,
	`counter` integer NOT NULL,
	`updated_at` integer NOT NULL,
	CONSTRAINT "soter_counters_id_length" CHECK(length("soter_counters"."id") = 32)
);
--> statement-breakpoint
CREATE TABLE `step_ups` (
	`challenge` blob PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`device_id` text NOT NULL,
	`fingerprint` blob NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	CONSTRAINT "step_ups_challenge_length" CHECK(length("step_ups"."challenge") = 32),
	CONSTRAINT "step_ups_fingerprint_length" CHECK(length("step_ups"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE INDEX `step_ups_expires` ON `step_ups` (`expires_at`);