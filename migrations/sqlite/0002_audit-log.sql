CREATE TABLE `auditors` (
	`name` text PRIMARY KEY NOT NULL,
	`token_hash` blob NOT NULL,
	`role` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`revoked_at` integer,
	CONSTRAINT "auditors_token_hash_length" CHECK(length("auditors"."token_hash") = 32)
);
--> statement-breakpoint
CREATE UNIQUE INDEX `auditors_token_hash_unique` ON `auditors` (`token_hash`);--> statement-breakpoint
CREATE TABLE `log_checkpoints` (
	`log` integer NOT NULL,
	`size` integer NOT NULL,
	`signed_at` integer NOT NULL,
	`note` text NOT NULL,
	`cosignatures` text NOT NULL,
	`timestamp_token` blob,
	PRIMARY KEY(`log`, `size`)
);
--> statement-breakpoint
CREATE TABLE `log_entries` (
	`place` integer PRIMARY KEY NOT NULL,
	`id` blob NOT NULL,
	`hash` blob NOT NULL,
	`leaf` blob NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`result` text NOT NULL,
	`code` text,
	`app` text,
	`user_tag` blob,
	`device_tag` blob,
	`ip_tag` blob,
	`path_tag` blob,
	`area_tag` blob,
	`detail` blob,
	`detail_until` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `log_entries_id` ON `log_entries` (`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `log_entries_hash` ON `log_entries` (`hash`);--> statement-breakpoint
CREATE INDEX `log_entries_at` ON `log_entries` (`at`);--> statement-breakpoint
CREATE INDEX `log_entries_kind` ON `log_entries` (`kind`,`place`);--> statement-breakpoint
CREATE INDEX `log_entries_result` ON `log_entries` (`result`,`place`) WHERE result <> 'ok';--> statement-breakpoint
CREATE INDEX `log_entries_code` ON `log_entries` (`code`,`place`) WHERE code is not null;--> statement-breakpoint
CREATE INDEX `log_entries_user` ON `log_entries` (`user_tag`,`place`) WHERE user_tag is not null;--> statement-breakpoint
CREATE INDEX `log_entries_device` ON `log_entries` (`device_tag`,`place`) WHERE device_tag is not null;--> statement-breakpoint
CREATE INDEX `log_entries_ip` ON `log_entries` (`ip_tag`,`place`) WHERE ip_tag is not null;--> statement-breakpoint
CREATE INDEX `log_entries_path` ON `log_entries` (`path_tag`,`place`) WHERE path_tag is not null;--> statement-breakpoint
CREATE INDEX `log_entries_area` ON `log_entries` (`area_tag`,`place`) WHERE area_tag is not null;--> statement-breakpoint
CREATE INDEX `log_entries_until` ON `log_entries` (`detail_until`) WHERE detail is not null;--> statement-breakpoint
CREATE TABLE `log_hours` (
	`hour` integer NOT NULL,
	`kind` text NOT NULL,
	`result` text NOT NULL,
	`code` text NOT NULL,
	`entries` integer NOT NULL,
	PRIMARY KEY(`hour`, `kind`, `result`, `code`)
);
--> statement-breakpoint
CREATE TABLE `log_intents` (
	`id` blob PRIMARY KEY NOT NULL,
	`user_tag` blob,
	`draft` blob NOT NULL,
	`started_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `log_intents_started` ON `log_intents` (`started_at`);--> statement-breakpoint
CREATE TABLE `log_staged` (
	`id` blob PRIMARY KEY NOT NULL,
	`hash` blob NOT NULL,
	`leaf` blob NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`result` text NOT NULL,
	`code` text,
	`app` text,
	`user_tag` blob,
	`device_tag` blob,
	`ip_tag` blob,
	`path_tag` blob,
	`area_tag` blob,
	`detail` blob,
	`detail_until` integer NOT NULL,
	CONSTRAINT "log_staged_hash_length" CHECK(length("log_staged"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE `log_states` (
	`log` integer PRIMARY KEY NOT NULL,
	`origin` text NOT NULL,
	`size` integer NOT NULL,
	`root` blob NOT NULL,
	CONSTRAINT "log_states_root_length" CHECK(length("log_states"."root") = 32)
);
--> statement-breakpoint
CREATE TABLE `log_tiles` (
	`log` integer NOT NULL,
	`level` integer NOT NULL,
	`tile_index` integer NOT NULL,
	`hashes` blob NOT NULL,
	PRIMARY KEY(`log`, `level`, `tile_index`)
);
--> statement-breakpoint
CREATE TABLE `log_witnesses` (
	`name` text PRIMARY KEY NOT NULL,
	`log` integer NOT NULL,
	`size` integer NOT NULL,
	`cosigned_at` integer,
	`tried_at` integer NOT NULL,
	`failure` text
);
--> statement-breakpoint
CREATE TABLE `subject_keys` (
	`tag` blob PRIMARY KEY NOT NULL,
	`key_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL
);
