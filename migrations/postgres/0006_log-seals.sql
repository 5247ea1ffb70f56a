ALTER TABLE "tlog_pending" ADD COLUMN "mac" "bytea";--> statement-breakpoint
ALTER TABLE "tlog_states" ADD COLUMN "mac" "bytea";