ALTER TABLE `log_staged` ADD `seal` blob;--> statement-breakpoint
ALTER TABLE `log_states` ADD `seal` blob;