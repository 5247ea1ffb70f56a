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
CREATE TABLE `idempotency` (
	`user_id` text NOT NULL,
	`key` text NOT NULL,
	`fingerprint` blob NOT NULL,
	`started_at` integer NOT NULL,
	`settled_at` integer,
	`answer_wrapped` blob,
	`expires_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `key`),
	CONSTRAINT "idempotency_fingerprint_length" CHECK(length("idempotency"."fingerprint") = 32)
);
--> statement-breakpoint
CREATE INDEX `idempotency_expires` ON `idempotency` (`expires_at`);--> statement-breakpoint
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
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`device_id`) REFERENCES `devices`(`id`) ON UPDATE no action ON DELETE no action,
	CONSTRAINT "sessions_id_length" CHECK(length("sessions"."id") = 16)
);
--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `sessions_expires` ON `sessions` (`expires_at`);--> statement-breakpoint
CREATE INDEX `sessions_ended` ON `sessions` (`ended_at`) WHERE ended_at is not null;--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`app` text NOT NULL,
	`openid_wrapped` blob NOT NULL,
	`session_key_wrapped` blob NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL
);
