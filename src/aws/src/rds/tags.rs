//! Tags of RDS resources, which all have them in the same way, by ARN.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html>

crate::tags::tags_in_lists!(RDS, aws_sdk_rds, rds);
