"""CloudFormation's rules that `local.aws.cloudformation` lives by, with their sources.
Each has a test that bears its name.
"""

from __future__ import annotations

from collections.abc import Mapping

_GUIDE = "CloudFormation user guide"
RULES: Mapping[str, str] = {
    "a failed creation is undone in reverse, down to ROLLBACK_COMPLETE": (
        f'{_GUIDE}, "Stack failure options"'
    ),
    "a stack in ROLLBACK_COMPLETE is deleted before the next try": (
        "aws-cdk-cli, deploy-stack.ts: what the CDK's command line does"
    ),
    "termination protection holds up that deletion": (
        f'{_GUIDE}, "Protect stacks from being deleted"'
    ),
    "Retain keeps a resource, RetainExceptOnCreate not where its creation failed": (
        f'{_GUIDE}, "DeletionPolicy attribute"'
    ),
    "a name that is taken fails a creation": (
        f'{_GUIDE}, "Troubleshooting": already exists in stack'
    ),
    "a custom resource whose creation failed is deleted as well": (
        f'{_GUIDE}, "Custom resource request types"'
    ),
    "what is other is changed in the order of dependencies, all else left alone": (
        f'{_GUIDE}, "Update behaviors of stack resources"'
    ),
    "what cannot be changed in place is made anew, and the old one goes at the end": (
        f'{_GUIDE}, "Update behaviors of stack resources": replacement'
    ),
    "a failed update sends custom resources the properties of before": (
        f'{_GUIDE}, "Continue rolling back an update"; cfn-response requests'
    ),
    "a rollback that fails leaves UPDATE_ROLLBACK_FAILED, which takes no deploy": (
        f'{_GUIDE}, "Continue rolling back an update"'
    ),
    "what leaves a template is deleted once all else has succeeded": (
        f'{_GUIDE}, "Update behaviors of stack resources": cleanup'
    ),
    "a bucket that holds something leaves DELETE_FAILED": (
        f'{_GUIDE}, "Troubleshooting": delete stack fails'
    ),
    "a stack whose exports are imported is not deleted": (
        f'{_GUIDE}, "Get exported outputs from a deployed stack"'
    ),
    "an export that is imported is neither changed nor removed": (
        f'{_GUIDE}, "Get exported outputs from a deployed stack"'
    ),
    "a deleted policy resets its topic, whoever set it last": (
        "AWS::SNS::TopicPolicy, delete handler"
    ),
}
