ALTER TABLE `tlog_pending` ADD `mac` blob;--> statement-breakpoint
ALTER TABLE `tlog_states` ADD `mac` blob;