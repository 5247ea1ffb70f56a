ALTER TABLE "log_staged" ADD COLUMN "seal" "bytea";--> statement-breakpoint
ALTER TABLE "log_states" ADD COLUMN "seal" "bytea";