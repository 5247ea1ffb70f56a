CREATE TABLE `auditors` (
	`name` text PRIMARY KEY NOT NULL,
	`token_hash` blob NOT NULL,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	`signed_out_at` integer,
	CONSTRAINT "auditors_token_hash_length" CHECK(length("auditors"."token_hash") = 32)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `auditors_token_hash_unique` ON `auditors` (`token_hash`);--> statement-breakpoint
CREATE TABLE `devices` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`public_key` blob NOT NULL,
	`name` text,
	`platform` text,
	`created_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`revoked_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "devices_public_key_length" CHECK(length("devices"."public_key") = 32)
);
--> statement-breakpoint
CREATE INDEX `devices_user` ON `devices` (`user_id`);--> statement-breakpoint
CREATE TABLE `events` (
	`user_id` text NOT NULL,
	`id` blob NOT NULL,
	`sequence` integer NOT NULL,
	`payload_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `id`),
	CONSTRAINT "events_id_length" CHECK(length("events"."id") = 16)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `events_sequence` ON `events` (`user_id`,`sequence`);--> statement-breakpoint
CREATE INDEX `events_expires` ON `events` (`expires_at`);--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`user_id` text NOT NULL,
	`key` text NOT NULL,
	`fingerprint` blob NOT NULL,
	`started_at` integer NOT NULL,
	`completed_at` integer,
	`response_wrapped` blob,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `key`),
	CONSTRAINT "idempotency_keys_fingerprint_length" CHECK(length("idempotency_keys"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_expires` ON `idempotency_keys` (`expires_at`);--> statement-breakpoint
CREATE TABLE `login_codes` (
	`hash` blob PRIMARY KEY NOT NULL,
	`expires_at` integer NOT NULL,
	CONSTRAINT "login_codes_hash_length" CHECK(length("login_codes"."hash") = 32)
);
--> statement-breakpoint
CREATE INDEX `login_codes_expires` ON `login_codes` (`expires_at`);--> statement-breakpoint
CREATE TABLE `nonces` (
	`scope` text NOT NULL,
	`nonce` blob NOT NULL,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`scope`, `nonce`),
	CONSTRAINT "nonces_nonce_length" CHECK(length("nonces"."nonce") = 16)
);
--> statement-breakpoint
CREATE INDEX `nonces_expires` ON `nonces` (`expires_at`);--> statement-breakpoint
CREATE TABLE `outboxes` (
	`user_id` text PRIMARY KEY NOT NULL,
	`first_sequence` integer NOT NULL,
	`last_sequence` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `service_keys` (
	`kid` text NOT NULL,
	`kind` text NOT NULL,
	`public_key` blob NOT NULL,
	`secret_wrapped` blob NOT NULL,
	`not_before` integer NOT NULL,
	`not_after` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`kind`, `kid`)
);
--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` blob PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`device_id` text NOT NULL,
	`app` text NOT NULL,
	`c2s_wrapped` blob NOT NULL,
	`s2c_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL,
	`ended_at` integer,
	`end_reason` text,
	`required_acr` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "sessions_id_length" CHECK(length("sessions"."id") = 16)
);
--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `sessions_expires` ON `sessions` (`expires_at`);--> statement-breakpoint
CREATE INDEX `sessions_ended` ON `sessions` (`ended_at`) WHERE ended_at is not null;--> statement-breakpoint
CREATE TABLE `soter_counters` (
	`id` blob PRIMARY KEY NOT NULL,
	`counter` integer NOT NULL,
	`updated_at` integer NOT NULL,
	CONSTRAINT "soter_counters_id_length" CHECK(length("soter_counters"."id") = 32)
);
--> statement-breakpoint
CREATE TABLE `step_up_challenges` (
	`challenge` blob PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`device_id` text NOT NULL,
	`fingerprint` blob NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	CONSTRAINT "step_up_challenges_challenge_length" CHECK(length("step_up_challenges"."challenge") = 32),
	CONSTRAINT "step_up_challenges_fingerprint_length" CHECK(length("step_up_challenges"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE INDEX `step_up_challenges_expires` ON `step_up_challenges` (`expires_at`);--> statement-breakpoint
CREATE TABLE `subject_keys` (
	`subject_index` blob PRIMARY KEY NOT NULL,
	`key_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tlog_checkpoints` (
	`log` integer NOT NULL,
	`size` integer NOT NULL,
	`signed_at` integer NOT NULL,
	`note` text NOT NULL,
	`cosignatures` text NOT NULL,
	`timestamp_token` blob,
	PRIMARY KEY(`log`, `size`)
);
--> statement-breakpoint
CREATE TABLE `tlog_entries` (
	`global_index` integer PRIMARY KEY NOT NULL,
	`id` blob NOT NULL,
	`hash` blob NOT NULL,
	`leaf` blob NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`result` text NOT NULL,
	`code` text,
	`app` text,
	`user_blind_index` blob,
	`device_blind_index` blob,
	`ip_blind_index` blob,
	`path_blind_index` blob,
	`area_blind_index` blob,
	`detail` blob,
	`detail_expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tlog_entries_id` ON `tlog_entries` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `tlog_entries_hash` ON `tlog_entries` (`hash`);--> statement-breakpoint
CREATE INDEX `tlog_entries_at` ON `tlog_entries` (`at`);--> statement-breakpoint
CREATE INDEX `tlog_entries_kind` ON `tlog_entries` (`kind`,`global_index`);--> statement-breakpoint
CREATE INDEX `tlog_entries_result` ON `tlog_entries` (`result`,`global_index`) WHERE result <> 'ok';--> statement-breakpoint
CREATE INDEX `tlog_entries_code` ON `tlog_entries` (`code`,`global_index`) WHERE code is not null;--> statement-breakpoint
CREATE INDEX `tlog_entries_user` ON `tlog_entries` (`user_blind_index`,`global_index`) WHERE user_blind_index is not null;--> statement-breakpoint
CREATE INDEX `tlog_entries_device` ON `tlog_entries` (`device_blind_index`,`global_index`) WHERE device_blind_index is not null;--> statement-breakpoint
CREATE INDEX `tlog_entries_ip` ON `tlog_entries` (`ip_blind_index`,`global_index`) WHERE ip_blind_index is not null;--> statement-breakpoint
CREATE INDEX `tlog_entries_path` ON `tlog_entries` (`path_blind_index`,`global_index`) WHERE path_blind_index is not null;--> statement-breakpoint
CREATE INDEX `tlog_entries_area` ON `tlog_entries` (`area_blind_index`,`global_index`) WHERE area_blind_index is not null;--> statement-breakpoint
CREATE INDEX `tlog_entries_detail_expires` ON `tlog_entries` (`detail_expires_at`) WHERE detail is not null;--> statement-breakpoint
CREATE TABLE `tlog_hourly_counts` (
	`hour` integer NOT NULL,
	`kind` text NOT NULL,
	`result` text NOT NULL,
	`code` text NOT NULL,
	`entries` integer NOT NULL,
	PRIMARY KEY(`hour`, `kind`, `result`, `code`)
);
--> statement-breakpoint
CREATE TABLE `tlog_intents` (
	`id` blob PRIMARY KEY NOT NULL,
	`user_blind_index` blob,
	`draft` blob NOT NULL,
	`started_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `tlog_intents_started` ON `tlog_intents` (`started_at`);--> statement-breakpoint
CREATE TABLE `tlog_pending` (
	`id` blob PRIMARY KEY NOT NULL,
	`hash` blob NOT NULL,
	`leaf` blob NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`result` text NOT NULL,
	`code` text,
	`app` text,
	`user_blind_index` blob,
	`device_blind_index` blob,
	`ip_blind_index` blob,
	`path_blind_index` blob,
	`area_blind_index` blob,
	`detail` blob,
	`detail_expires_at` integer NOT NULL,
	`mac` blob,
	CONSTRAINT "tlog_pending_hash_length" CHECK(length("tlog_pending"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE `tlog_states` (
	`log` integer PRIMARY KEY NOT NULL,
	`origin` text NOT NULL,
	`size` integer NOT NULL,
	`root` blob NOT NULL,
	`mac` blob,
	CONSTRAINT "tlog_states_root_length" CHECK(length("tlog_states"."root") = 32)
);
--> statement-breakpoint
CREATE TABLE `tlog_tiles` (
	`log` integer NOT NULL,
	`level` integer NOT NULL,
	`tile_index` integer NOT NULL,
	`hashes` blob NOT NULL,
	PRIMARY KEY(`log`, `level`, `tile_index`)
);
--> statement-breakpoint
CREATE TABLE `tlog_witnesses` (
	`name` text PRIMARY KEY NOT NULL,
	`log` integer NOT NULL,
	`size` integer NOT NULL,
	`cosigned_at` integer,
	`tried_at` integer NOT NULL,
	`failure` text
);
--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`openid_wrapped` blob NOT NULL,
	`session_key_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
