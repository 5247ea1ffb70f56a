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
CREATE INDEX `tlog_entries_until` ON `tlog_entries` (`detail_expires_at`) WHERE detail is not null;--> statement-breakpoint
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
	CONSTRAINT "tlog_pending_hash_length" CHECK(length("tlog_pending"."hash") = 32)
);
--> statement-breakpoint
CREATE TABLE `tlog_states` (
	`log` integer PRIMARY KEY NOT NULL,
	`origin` text NOT NULL,
	`size` integer NOT NULL,
	`root` blob NOT NULL,
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
CREATE TABLE `subject_keys` (
	`subject_index` blob PRIMARY KEY NOT NULL,
	`key_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL
);
