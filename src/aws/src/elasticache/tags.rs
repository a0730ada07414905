//! Tags of ElastiCache resources, which all have them in the same way, by ARN.
//!
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_AddTagsToResource.html>

crate::tags::tags_in_lists!(ELASTICACHE, aws_sdk_elasticache, elasticache);
