package policy

// newPolicy works out what is heard for each action under a set of parameters.
// Each list is in catalogue order; a rule that may be silent says so here.
func newPolicy(name string, params Params) *Policy {
	p := &Policy{name: name, params: params}
	q := &p.params

	p.placeCall = open(q, name, actionPlaceCall, "an emergency call", []check[*PlaceCall]{
		{rule: ruleEmergency, maySilent: true, look: emergencyCall},
		{rule: ruleFailClosed, maySilent: true, look: dialOther},
		{rule: ruleAudit, look: auditPlaceCall},
	}, dutyNotifyFrontDesk|dutySendLocation|dutyNoRecording,
		dutyNotifyFrontDesk|dutySendLocation|dutyNoRecording|dutyBufferAudit)

	p.connectLeg = open(q, name, actionConnectLeg, "the leg may carry audio", []check[*ConnectLeg]{
		{rule: ruleEmergency, maySilent: true, look: emergencyLeg},
		{rule: ruleFailClosed, maySilent: true, look: completeLeg},
		{rule: ruleTransport, maySilent: true, look: encryptedLeg},
		{rule: ruleAudit, look: auditLeg},
	}, dutyMarkPSTN, dutyBufferAudit, dutyMarkPSTN|dutyBufferAudit)

	p.keepRecord = open(q, name, actionKeepRecord, "it may be kept", []check[*KeepRecord]{
		{rule: ruleFailClosed, look: completeKeep},
		{rule: ruleAtRest, look: atRest},
		{rule: ruleEvidence, maySilent: true, look: keepEvidence},
		{rule: ruleSecure, maySilent: true, look: keepSecure},
		{rule: ruleAudit, look: auditKeep},
	}, dutySealOnClose|dutyVerifyOnRead)

	p.startRecording = open(q, name, actionStartRecording, "all who must have said yes", []check[*RecordingFacts]{
		{rule: ruleEmergency, look: emergencyUnrecorded},
		{rule: ruleFailClosed, look: completeStart},
		{rule: ruleDefaultOff, look: offStart},
		{rule: ruleConsentRequired, look: consentRequired},
		{rule: ruleAllParties, look: consentAllParties},
		{rule: ruleEvidence, look: evidenceStart},
		{rule: ruleRevoked, look: revokedStart},
		{rule: ruleSecure, look: secure},
		{rule: ruleAudit, look: auditRecording},
	}, dutyAnnounce|dutyStoreConsent|dutySealOnClose|dutyVerifyOnRead)
	p.startRecording.settle = settleStart

	p.continueRecording = open(q, name, actionContinueRecording, "the consents still stand", []check[*ContinueRecording]{
		{rule: ruleEmergency, look: running(emergencyUnrecorded)},
		{rule: ruleFailClosed, look: orStop(completeContinue)},
		{rule: ruleDefaultOff, look: orStop(offContinue)},
		{rule: ruleConsentRequired, look: running(consentRequired)},
		{rule: ruleAllParties, look: running(consentAllParties)},
		{rule: ruleEvidence, look: orStop(evidenceContinue)},
		{rule: ruleRevoked, look: orStop(revokedContinue)},
		{rule: ruleSecure, look: running(secure)},
		{rule: ruleAudit, look: running(auditRecording)},
	}, dutySealOnClose|dutyVerifyOnRead, dutyAnnounce|dutySealOnClose|dutyVerifyOnRead)
	p.continueRecording.settle = settleContinue

	p.routeCall = open(q, name, actionRouteCall, "a reason that is none of recording's", []check[*RouteCall]{
		{rule: ruleFailClosed, look: completeRoute},
		{rule: ruleNoDetriment, look: noDetriment},
		{rule: ruleAudit, look: auditRoute},
	}, dutyBufferAudit)

	p.verify = open(q, name, actionVerify, "the caller is verified", []check[tried]{
		{rule: ruleFailClosed, look: completeVerify},
		{rule: ruleTwo, look: twoIdentifiers},
		{rule: ruleCallerID, look: callerIDHint},
		{rule: ruleNormalise, look: readable},
		{rule: ruleUnique, maySilent: true, look: oneCandidate},
		{rule: ruleBilling, maySilent: true, look: billingNext},
		{rule: ruleAttempts, look: attempts},
		{rule: ruleAudit, look: auditVerify},
	}, dutyAskBilling)
	p.verify.settle = settleTries

	p.verifyBilling = open(q, name, actionVerifyBilling, "billing may be talked about", []check[triedBilling]{
		{rule: ruleFailClosed, look: completeBilling},
		{rule: ruleVerify, look: verifiedForBilling},
		{rule: ruleNormalise, maySilent: true, look: readableBilling},
		{rule: ruleBilling, look: billingExtra},
		{rule: ruleAttempts, maySilent: true, look: attemptsBilling},
		{rule: ruleScope, maySilent: true, look: scopeOfBilling},
		{rule: ruleAudit, look: auditBilling},
	})
	p.verifyBilling.settle = settleTries

	p.disclose = open(q, name, actionDisclose, "it may be disclosed", []check[*Disclose]{
		{rule: ruleFailClosed, look: completeDisclose},
		{rule: ruleVerify, look: verifiedFirst},
		{rule: ruleBilling, maySilent: true, look: billingFirst},
		{rule: ruleScope, maySilent: true, look: scopeOfDisclose},
		{rule: ruleAgent, maySilent: true, look: announcedFirst},
		{rule: ruleAudit, look: auditDisclose},
		{rule: ruleTraining, maySilent: true, look: trainedAgent},
	}, dutyBufferAudit)

	p.reply = open(q, name, actionReply, "the reply teaches nothing", []check[*Reply]{
		{rule: ruleFailClosed, look: completeReply},
		{rule: ruleNoOracle, look: noOracle},
		{rule: ruleAudit, look: auditReply},
	}, dutyBufferAudit)

	p.announceAgent = open(q, name, actionAnnounceAgent, "the announcement is good", []check[*AnnounceAgent]{
		{rule: ruleFailClosed, look: completeAnnounce},
		{rule: ruleAgent, look: announcement},
		{rule: ruleAudit, look: auditAnnounce},
	}, dutyAnnounceAgent, dutyBufferAudit, dutyAnnounceAgent|dutyBufferAudit)

	p.joinQueue = open(q, name, actionJoinQueue, "trained and current", []check[*JoinQueue]{
		{rule: ruleFailClosed, look: completeJoin},
		{rule: ruleAudit, look: auditJoin},
		{rule: ruleTraining, look: trainedToJoin},
	})
	return p
}
