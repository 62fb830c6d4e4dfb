// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"

	"github.com/ftpgw/ftpgw/policy"
)

func deliverSpec() blockSpec {
	return blockSpec{
		name: "deliver", count: "at most one, in an allowing rule; required there when there are several conduits",
		meaning: "Where the files of an allowing rule go, and when the device is told that they have arrived.",
		attributes: []attribute{
			{name: "conduit", kind: kindText, absent: "the only conduit", example: `"control-centre"`,
				meaning: "The name of a conduit."},
			{name: "acknowledge", kind: kindText, fallback: string(policy.Delivered), example: `"spooled"`,
				meaning: "When the device gets its 226. `\"delivered\"`: when the file is durable across the conduit. `\"spooled\"`: when it is durable in the spool of the appliance; it is delivered from there, however long the conduit is down. See [spool](spool.md)."},
			{name: "offline", kind: kindText, fallback: string(policy.ShowSpool), example: `"refuse"`,
				meaning: "What the device is shown of the far side while the conduit is down, where acknowledge is `\"spooled\"`. `\"spool\"`: the files that are held in the spool. `\"refuse\"`: 451."},
			{name: "set", kind: kindText, absent: "each file stands for itself", example: `"comtrade"`,
				meaning: "Files that belong together are held in the spool until all are there, and are published together. `\"comtrade\"`: the .cfg, .dat, .hdr and .inf of one COMTRADE record, of which .cfg and .dat must be there; .cfg is published last. Needs acknowledge = \"spooled\"."},
			{name: "set_timeout", kind: kindDuration, fallback: "10m", example: `"1h"`,
				meaning: "How long after its newest file a set is waited for."},
			{name: "set_overdue", kind: kindText, fallback: string(policy.PublishOverdue), example: `"hold"`,
				meaning: "What becomes of a set that is not whole then; it is on record in either case. `\"publish\"`: what has come is published. `\"hold\"`: it is held until somebody releases it."},
			{name: "verify", kind: kindText, fallback: string(policy.VerifySize), example: `"readback"`,
				meaning: "How it is made sure that the server holds what the device sent, before the file gets its final name. `\"size\"`: the server has acknowledged every byte, flushed the file where it can, and reports as many bytes as were sent. `\"readback\"`: besides, the file is read back and its SHA-256 compared, at the price of carrying it twice, each time within the rule's `bandwidth`. `\"extension\"`: besides, the server computes the SHA-256 itself (check-file); from a server that cannot, the file is read back. The receipt in the audit log says which it was. See [durability](durability.md)."},
			{name: "require", kind: kindRequirements, absent: "what the server cannot do is done without, and the receipt says so", example: `["fsync", "atomic"]`,
				meaning: "What the server must be able to do; an upload is refused with 450 before a byte is sent if it is not. `fsync`: put the file on stable storage before it gets its final name. `atomic`: replace what stands under the final name in one step."},
			{name: "path", kind: kindTemplate, absent: "the path that the device gave, below its home", example: `"/${device.name}/${time.date}/${file.name}"`,
				meaning: "Where an upload is published, below the conduit's root: an HCL template over the variables and functions of conditions; see [policy](policy.md). Directories are made where they are missing. Listings and downloads are not affected."},
		},
	}
}

func (b body) deliver(deny bool, known names) (policy.Delivery, *policy.Template) {
	conduits := known.conduits
	delivery := policy.Delivery{Acknowledge: policy.Delivered, Verify: policy.VerifySize}
	blocks := b.content.Blocks.OfType("deliver")
	if len(blocks) == 0 {
		if len(conduits) == 1 {
			delivery.Conduit = conduits[0]
		}
		if len(conduits) > 1 && b.has("allow") && !b.broken && !b.unsure["deliver"] {
			b.fail(b.header, "Missing deliver", "%s allows, and there are several conduits, so it must say which one: deliver { conduit = %q }. %s",
				b.title(), conduits[0], enumerate("conduits", conduits))
		}
		return delivery, nil
	}
	for _, extra := range blocks[1:] {
		b.fail(extra.DefRange, "Duplicate deliver", "The deliver block was already defined at %s.", place(blocks[0].DefRange))
	}
	if deny {
		b.fail(blocks[0].DefRange, "Unexpected deliver", "%s denies, so it delivers nothing.", b.title())
	}
	to := b.open(deliverSpec(), blocks[0].Body, "", blocks[0].DefRange)
	delivery.Conduit = to.conduitName(conduits)
	to.hold(&delivery, known.spool)
	delivery.Verify = to.verify()
	to.require(&delivery)
	return delivery, to.template("path", known.language)
}

func (b body) conduitName(conduits []string) string {
	text, ok := b.text("conduit")
	switch {
	case !ok && !b.has("conduit") && len(conduits) == 1:
		return conduits[0]
	case !ok && !b.has("conduit") && len(conduits) > 1:
		b.fail(b.header, "Missing conduit", "There are several conduits, so the deliver block must say which one. %s", enumerate("conduits", conduits))
	case ok && !b.broken && !b.unsure["conduit"] && !slices.Contains(conduits, text.text):
		b.fail(text.at, "Unknown conduit", "There is no conduit %q. %s", text.text, Suggest(text.text, "conduits", conduits))
	}
	return text.text
}

func (b body) verify() policy.Verification {
	text, ok := b.text("verify")
	if ok && !slices.Contains(policy.Verifications(), policy.Verification(text.text)) {
		b.fail(text.at, "Invalid verify", "%q is not a way to verify. %s", text.text, Suggest(text.text, "ways", words(policy.Verifications())))
	}
	return policy.Verification(text.text)
}

func (b body) require(delivery *policy.Delivery) {
	for _, text := range b.list("require") {
		switch policy.Requirement(text.text) {
		case policy.RequireFsync:
			delivery.RequireFsync = true
		case policy.RequireAtomic:
			delivery.RequireAtomic = true
		default:
			b.fail(text.at, "Unknown requirement", "Nothing is known about %q. %s", text.text, Suggest(text.text, "requirements", words(policy.Requirements())))
		}
	}
}

func words[T ~string](values []T) []string {
	var list []string
	for _, v := range values {
		list = append(list, string(v))
	}
	return list
}
