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
CREATE TABLE `outboxes` (
	`user_id` text PRIMARY KEY NOT NULL,
	`first` integer NOT NULL,
	`last` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE no action
);
