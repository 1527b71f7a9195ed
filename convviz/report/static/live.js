(()=>{var E,mt,pn,X,Ae,Ce,_t,we,gt,Ue,Ie,dn,fe=Symbol.for("pv"),Se={},Me=[],hn=/^m(i|n|o|s|text|space)$/,He=Array.isArray,Be=Me.slice,ne=Object.assign;function te(e){e&&e.parentNode&&e.remove()}function bt(e,t,n){var s,a,o,r={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:r[o]=t[o];return i>2&&(r.children=i>3?Be.call(arguments,2):n),he(e,r,s,a,null)}function he(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:fe,__v:a||++mt,__i:-1,__u:0};return!a&&E.vnode&&E.vnode(o),o}function Pe(e){return e.children}function xe(e,t){this.props=e,this.context=t,this.__g=0}function Y(e,t){if(t==null)return e.__&&Y(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:Y(e)}function fn(e){var t,n=e.__v,s=n.__e,a=[],o=[],r=e.__P;r&&((t=ne({constructor:fe},n)).__v=n.__v+1,E.vnode&&E.vnode(t),We(r,t,n,e.__n,r.namespaceURI,32&n.__u?[s]:null,a,s||Y(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,Ct(a,t,o),n.__=n.__e=null,t.__e!=s&&vt(t))}function vt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),vt(e)}function ft(e){(8&e.__g||(e.__g|=8,X.push(e),Ce++))&&Ae==E.debounceRendering||((Ae=E.debounceRendering)||queueMicrotask)(yt)}function yt(){try{for(var e,t=1;X.length;)X.length>t&&X.sort(_t),e=X.shift(),t=X.length,8&e.__g&&fn(e)}finally{(Ce=X.length)&&(Ae||queueMicrotask)(yt)}}function wt(e,t,n,s,a,o,r,i,c,f,l){var m,$,p,h,x,g,S=s.__k||Me,b=t.length;for(c=$n(n,t,S,c,b),m=0;m<b;m++)(p=n.__k[m])!=null&&($=~p.__i&&S[p.__i]||Se,p.__i=m,g=We(e,p,$,a,o,r,i,c,f,l),h=p.__e,($.ref!=p.ref||8&$.__u)&&($.ref&&ze($.ref,null,p,$),p.ref&&l.push(p.ref,p.__c||h,p)),x=x||h,4&p.__u?(c=xt(p,c,e,!$.__v),$.__e&&($.__e=null)):typeof p.type=="function"&&g!==void 0?c=g:h&&(c=h.nextSibling),p.__u&=-21);return n.__e=x,c}function $n(e,t,n,s,a){var o,r,i,c,f,l,m,$,p,h=n.length,x=h,g=0,S=0,b=e.__k=Array(a);for(o=0;o<a;o++)(r=t[o])!=null&&typeof r!="boolean"&&typeof r!="function"?(typeof r!="object"||r.constructor===String?r=b[o]=he(null,r):He(r)?r=b[o]=he(Pe,{children:r}):r.constructor===fe&&r.__b?r=b[o]=he(r.type,r.props,r.key,r.ref,r.__v):b[o]=r,c=o+g,r.__=e,r.__b=e.__b+1,i=null,~(f=r.__i=mn(r,n,c,x))&&(x--,(i=n[f])&&(i.__u|=2)),i&&i.__v?(r.__u|=16,f==c-1?g--:f==c+1?g++:f!=c&&(f>c?g--:g++,S=1)):(~f||(a>h?g--:a<h&&g++),typeof r.type!="function"&&(r.__u|=4))):b[o]=null;if(S){for(l=[],m=[],o=0;o<a;o++)if((r=b[o])&&16&r.__u){for(g=0,$=l.length;g<$;)l[p=g+$>>1]<r.__i?g=p+1:$=p;l[g]=r.__i,m[o]=g+1}for(g=l.length;o--;)m[o]&&(m[o]==g?g--:b[o].__u|=4)}if(x)for(o=0;o<h;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=Y(i)),Fe(i,i));return s}function xt(e,t,n,s){var a,o,r,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=xt(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=Y(e))&&!t.parentNode&&(t=null),r=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(r!=i&&(!s&&n.moveBefore&&r.parentNode?n.moveBefore(r,t):n.insertBefore(r,t||null)),t=r;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function mn(e,t,n,s){var a,o=e.key,r=e.type,i=t[n],c=i&&!(2&i.__u);if(i===null&&o==null||c&&o==i.key&&r==i.type)return n;if(s>(c?1:0)){for(a=n-1;a>=0;a--)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a;for(a=n+1;a<t.length;a++)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a}return-1}function $t(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function ye(e,t,n,s,a){var o,r;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||$t(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||$t(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(r=Ie[t]||(Ie[t]=_n(t)),(e.__a||(e.__a={}))[t]=Ue,o=t!=(t=t.replace(gt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,r,o):e.removeEventListener(t,r,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function _n(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[we]==null)t[we]=Ue++;else if(t[we]<this.__a[e])return;return n(E.event?E.event(t):t)}}}function We(e,t,n,s,a,o,r,i,c,f){var l,m,$,p,h,x,g,S,b,y,k,L,z,F,R,J,I,v,d=t.type;if(t.constructor!==fe)return null;128&n.__u&&(c=32&n.__u,l=n.__c.__z)&&(t.__u|=c,m=o=[],l.nodeType==8?i=ke(l,o):o.push(l),i=o[0]||i),(l=E.__b)&&l(t);e:if(typeof d=="function"){$=r.length;try{if(S=t.props,b=(l=d.prototype)&&l.render,y=(l=d.contextType)&&s[l.__c],k=l?y?y.props.value:l.__:s,(p=n.__c)?(t.__c=p,2&p.__g&&(p.__g|=1)):(b?t.__c=p=new d(S,k):(t.__c=p=new xe(S,k),p.constructor=d,p.render=bn),y&&y.sub(p),p.state||(p.state={}),p.__n=s,p.__g|=8,p.__h=[],p.__k=[]),b&&(p.__s||(p.__s=p.state),d.getDerivedStateFromProps&&(p.__s==p.state&&(p.__s=ne({},p.__s)),ne(p.__s,d.getDerivedStateFromProps(S,p.__s)))),h=p.props,x=p.state,p.__v=t,n.__c){if(S!==h&&b&&!d.getDerivedStateFromProps&&p.componentWillReceiveProps&&p.componentWillReceiveProps(S,k),t.__v==n.__v&&!(8&p.__g)||!(4&p.__g)&&p.shouldComponentUpdate&&p.shouldComponentUpdate(S,p.__s,k)===!1){t.__v!=n.__v&&(p.props=S,p.state=p.__s,p.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(_){_&&(_.__=t)}),Me.push.apply(p.__h,p.__k),p.__k=[],p.__h.length&&r.push(p),i=Y(n);break e}p.componentWillUpdate&&p.componentWillUpdate(S,p.__s,k),b&&p.componentDidUpdate&&p.__h.push(function(){p.componentDidUpdate(h,x,g)})}else b&&!d.getDerivedStateFromProps&&p.componentWillMount&&p.componentWillMount(),b&&p.componentDidMount&&p.__h.push(p.componentDidMount);p.context=k,p.props=S,p.__P=e,p.__g&=-5,L=E.__r,z=b?25:0;do p.__g&=-9,L&&L(t),l=p.render(p.props,p.state=p.__s,p.context);while(8&p.__g&&++z<25);b&&(Me.push.apply(p.__h,p.__k),p.__k=[]),p.state=p.__s,p.getChildContext&&(s=ne({},s,p.getChildContext())),b&&n.__c&&p.getSnapshotBeforeUpdate&&(g=p.getSnapshotBeforeUpdate(h,x)),F=l&&l.type===Pe&&l.key==null?l.props.children:l,S.__P&&(l=i,a=(e=S.__P).namespaceURI,c=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(_){_&&Fe(_,_)}),n.__k=null),i=n.__k?Y(n,0):null),i=wt(e,He(F)?F:[F],t,n,s,a,o,r,i,c,f),S.__P&&(t.__e=null,i=l),t.__u&=-161,m&&m.some(te),p.__h.length&&r.push(p),1&p.__g&&(p.__g&=-4)}catch(_){if(r.length=$,t.__v=null,c||o)if(_&&_.then){if(t.__u|=128|c,o){for(~(I=o.indexOf(i||void 0))||(I=o.length);(v=o[I-1])&&v.nodeType==8;)I--;for(;I<o.length;I++)if(v=o[I])if(o[I]=null,R){if(v==J)break}else{if(v.nodeType!=8)break;v.data.startsWith("$s")&&(J=ke(R=v))}}if(!R){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;R=i}(l=ke(R=t.__c.__z||(t.__c.__z=R)))?(t.__e=R,i=l):t.__e=i,i=i&&i.nextSibling}else o&&o.some(te);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),_&&_.then||kt(t),E.__e(_,t,n)}}else i=t.__e=gn(n.__e,t,n,s,a,o,r,c,f,e);return(l=E.diffed)&&l(t),i}function ke(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function kt(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(kt))}function Ct(e,t,n){for(var s=0;s<n.length;)ze(n[s++],n[s++],n[s++]);E.__c&&E.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){E.__e(o,a.__v)}})}function gn(e,t,n,s,a,o,r,i,c,f){var l,m,$,p,h,x,g,S,b=n.props||Se,y=t.props,k=t.type;if(k=="svg"?a="http://www.w3.org/2000/svg":k=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(l=0;l<o.length;l++)if((h=o[l])&&(k?h.localName==k:h.nodeType==3)){e=h,o[l]=null;break}}if(!e){if(S=f.ownerDocument||document,!k)return S.createTextNode(y);e=S.createElementNS(a,k,y.is?y:f),i&&(E.__m&&E.__m(t,o),i=!1),o=null}if(k){if(f=k=="template"&&e.content||e,o=k=="textarea"&&y.defaultValue!=null?null:o&&Be.call(f.childNodes),!i&&o)for(b={},l=0;l<e.attributes.length;l++)b[(h=e.attributes[l]).name]=h.value;for(l in b)h=b[l],l=="dangerouslySetInnerHTML"?$=h:l=="children"||l in y||l=="value"&&"defaultValue"in y||l=="checked"&&"defaultChecked"in y||ye(e,l,null,h,a);for(l in y)h=y[l],l=="children"?p=h:l=="dangerouslySetInnerHTML"?m=h:l=="value"?x=h:l=="checked"?g=h:i&&typeof h!="function"||b[l]===h||ye(e,l,h,b[l],a);m?(i||$&&(m.__html==$.__html||m.__html==e.innerHTML)||(e.innerHTML=m.__html),t.__k=[]):($&&(e.textContent=""),(k=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&hn.test(k))&&(a="http://www.w3.org/1999/xhtml"),wt(f,He(p)?p:[p],t,n,s,a,o,r,o?o[0]:n.__k&&Y(n,0),i,c),o&&o.some(te)),i&&k!="textarea"||(l="value",k=="progress"&&x==null?e.removeAttribute(l):x==null||x===e[l]&&(k!="progress"||x)||ye(e,l,x,b[l],a),l="checked",g!=null&&g!=e[l]&&ye(e,l,g,b[l],a))}else b===y||i&&e.data==y||(e.data=y);return e}function ze(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){E.__e(a,n)}}function Fe(e,t,n){var s,a,o,r;if(E.unmount&&E.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||ze(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){E.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(r=0;r<s.length;r++)s[r]&&Fe(s[r],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=ke(s,o=[]))&&(s==e.__e&&o.some(te),te(a),te(s)),n||te(e.__e),e.__e=e.__c=e.__=null}function bn(e,t,n){return this.constructor(e,n)}function qe(e,t){var n,s,a,o;E.__&&E.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=he(Pe,{children:[e]}),a=[],o=[],We(t,t.__k,s||Se,Se,t.namespaceURI,s?null:t.firstChild?Be.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),Ct(a,t.__k,o),t.__k.props.children=null}E={__e:function(e,t,n,s){for(var a,o,r;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((r=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),r=1),r&&8&a.__g)return void(a.__g|=2)}catch(i){e=i}}throw Ce=0,e}},mt=0,pn=function(e){return e!=null&&e.constructor===fe},xe.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=ne({},this.state)),typeof e=="function"&&(e=e(ne({},n),this.props)),e&&(ne(n,e),this.__v&&(t&&this.__k.push(t),ft(this)))},xe.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),ft(this))},xe.prototype.render=Pe,X=[],Ce=0,_t=function(e,t){return e.__v.__b-t.__v.__b},we=Symbol(),gt=/(PointerCapture)$|Capture$/i,Ue=0,Ie={},dn=0;var ce,O,Ve,St,Ge=Object.is,Ee=0,Lt=[],Ke=[],j=E,Mt=j.__b,Pt=j.__r,Et=j.diffed,Tt=j.__c,Nt=j.unmount,jt=j.__;function Te(e,t){j.__h&&j.__h(O,e,Ee||t),Ee=0;var n=O.__H||(O.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function w(e){return Ee=1,vn(At,e)}function vn(e,t,n){var s=Te(ce++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):At(void 0,t),function(o){var r=(s.__N||s.__)[0],i=s.t(r,o);Ge(r,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=O,!O.__f)){O.__f=!0;var a=O.shouldComponentUpdate;O.shouldComponentUpdate=function(o,r,i){var c=this.__H;if(!c)return!0;var f=!1,l=this.props!=o;if(c.__.some(function($){$.__N&&(f=!0,Ge($.__[0],$.__N[0])||(l=!0))}),a){var m=a.call(this,o,r,i);return f?m||l:m}return!f||l}}return s.__}function M(e,t){var n=Te(ce++,3);!j.__s&&Ye(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,O.__H.__h.push(n))}function Rt(e,t){var n=Te(ce++,4);!j.__s&&Ye(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,O.__h.push(n))}function U(e){return Ee=5,Xe(function(){return{current:e}},[])}function Xe(e,t){var n=Te(ce++,7);return Ye(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function yn(){var e;do{for(;e=Ke.shift();)try{$e(e)}catch(n){j.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=Lt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some($e),t.__h.some(Je),t.__h=[]}catch(n){t.__h=[],j.__e(n,e.__v)}}}while(Ke.length)}j.__b=function(e){O=null,Mt&&Mt(e)},j.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),jt&&jt(e,t)},j.__r=function(e){Pt&&Pt(e),ce=0;var t=(O=e.__c).__H;t&&(Ve==O?O.__h=[]:(t.__h.some($e),t.__h.some(Je),ce=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),Ve=O},j.diffed=function(e){Et&&Et(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&Dt(Lt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),Ve=O=null},j.__c=function(e,t){t.some(function(n){try{n.__h.some($e),n.__h=n.__h.filter(function(s){return!s.__||Je(s)})}catch(s){n.__h=[function(){throw s}]}}),Tt&&Tt(e,t)},j.unmount=function(e){Nt&&Nt(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,Dt(Ke.push(a))}else $e(a)}catch(o){t=o}}),s.__H=void 0,t&&j.__e(t,s.__v))};var Ot=typeof requestAnimationFrame=="function";function wn(e){var t,n=function(){clearTimeout(s),Ot&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Ot&&(t=requestAnimationFrame(n))}function Dt(e){e!=1&&St==j.requestAnimationFrame||((St=j.requestAnimationFrame)||wn)(yn)}function $e(e){var t=O,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),O=t}function Je(e){var t=O;e.__c=e.__(),O=t}function Ye(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!Ge(n,e[s])})}function At(e,t){return typeof t=="function"?t(e):t}var Ut=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var r=t[o++],i=t[o]?(t[0]|=r?1:2,n[t[o++]]):t[++o];r===3?s[0]=i:r===4?s[1]=Object.assign(s[1]||{},i):r===5?(s[1]=s[1]||{})[t[++o]]=i:r===6?s[1][t[++o]]+=i+"":r?(a=e.apply(i,Ut(e,i,n,["",null])),s.push(a),i[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(i)}return s},It=new Map;function Ht(e){var t=It.get(this);return t||(t=new Map,It.set(this,t)),(t=Ut(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,r="",i="",c=[0],f=function($){o===1&&($||(r=r.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?c.push(0,$,r):o===3&&($||r)?(c.push(3,$,r),o=2):o===2&&r==="..."&&$?c.push(4,$,0):o===2&&r&&!$?c.push(5,0,!0,r):o>=5&&((r||!$&&o===5)&&(c.push(o,0,r,a),o=6),$&&(c.push(o,$,0,a),o=6)),r=""},l=0;l<n.length;l++){l&&(o===1&&f(),f(l));for(var m=0;m<n[l].length;m++)s=n[l][m],o===1?s==="<"?(f(),c=[c],o=3):r+=s:o===4?r==="--"&&s===">"?(o=1,r=""):r=s+r[0]:i?s===i?i="":r+=s:s==='"'||s==="'"?i=s:s===">"?(f(),o=1):o&&(s==="="?(o=5,a=r,r=""):s==="/"&&(o<5||n[l][m+1]===">")?(f(),o===3&&(c=c[0]),o=c,(c=c[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(f(),o=2):r+=s),o===3&&r==="!--"&&(o=4,c=c[0])}return f(),c})(e)),t),arguments,[])).length>1?t:t[0]}var u=Ht.bind(bt);var Q=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>Q.received.set(e,t);var Z=document.documentElement.dataset.root??"",q=e=>e.startsWith("data:image/")?e:Z+e.split("/").map(encodeURIComponent).join("/");function W(e){if(!Q.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=q(`data/${e}.js`);let o=()=>{Q.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!Q.received.has(e))return o();n(Q.received.get(e)),Q.received.delete(e)},document.head.append(a)});Q.chunks.set(e,t)}return Q.chunks.get(e)}var Ne=()=>W("site");function ee(e,t){let[n,s]=w({});return Rt(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var me=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Bt(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function N(e,{replace:t=!1}={}){let n=Bt(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function xn(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function Qe(){let[e,t]=w(me);return M(()=>xn(()=>t(me())),[]),e}async function _e(e){let{block:t}=await Ne(),n=Math.floor(e/t),s=await W(`items-${String(n).padStart(3,"0")}`);return Ze(s,e)}function Ze(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),second:{predicted:s(e.second_predicted),probability:s(e.second_probability),correct:s(e.second_correct)},size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function oe({tile:e,size:t,label:n="",className:s=""}){if(!e)return u`<span class="tile missing ${s}" style=${{width:se(t),height:se(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,r=Math.floor(e.index/e.columns)*t,i={width:se(t),height:se(t),backgroundImage:`url("${q(e.atlas)}")`,backgroundPosition:`-${se(o)} -${se(r)}`,backgroundSize:`${se(e.columns*e.tile*a)} auto`};return u`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}function Wt({row:e,size:t=64}){let[n]=ee(()=>_e(e),[e]);return u`<${oe} tile=${n?.thumb} size=${t} label=${n?.name??""} />`}var je=e=>`${q("image.html")}#id=${e}`,se=e=>`${Math.round(e*1e3)/1e3}px`;function C(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function B(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}async function kn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function D({text:e,children:t}){let[n,s]=w(!1);return u`<button type="button" class="quiet" onClick=${async()=>{await kn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function Cn(){for(let e of document.querySelectorAll(".top nav [aria-current], .layers [aria-current]")){let[t,n]=[e.parentElement,e.getBoundingClientRect()],{left:s,right:a}=t.getBoundingClientRect();(n.left<s||n.right>a)&&(t.scrollLeft+=(n.left+n.right-s-a)/2)}}var et=()=>{document.body.dataset.ready!=="true"&&Cn(),document.body.dataset.ready="true"};var G=["done","failed","cancelled"];async function tt(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var ue=async e=>tt(await fetch(`${Z}api/${e}`)),K=async(e,t={})=>tt(await fetch(`${Z}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function zt(e){let t=new FormData;return t.append("photo",e,e.name||"pasted photo"),tt(await fetch(`${Z}api/photos`,{method:"POST",body:t}))}async function A(e,t,n){let s=await K("answers",{model:e,task:t,arguments:n});if(s.status!=="done")throw new Error(s.error||`the job was ${s.status}`);return s}async function ge(e,t,n,s){let a=await K("jobs",{model:e,task:t,arguments:n});if(s(a),G.includes(a.status))return a.id;let o=new EventSource(`${Z}api/jobs/${a.id}/events`);o.addEventListener("progress",i=>s(JSON.parse(i.data)));let r=!1;return o.addEventListener("end",i=>{r=!0,s(JSON.parse(i.data))}),o.onerror=()=>{o.close(),r||s({...a,status:"failed",error:"the connection to the server was lost"})},a.id}var nt=e=>K(`jobs/${e}/cancel`),Oe=new Map;function De(e){if(!Oe.has(e)){let t=A(e,"model",{}).then(n=>n.result);t.catch(()=>Oe.delete(e)),Oe.set(e,t)}return Oe.get(e)}async function Ft(e){let t=await fetch(e);if(!t.ok)throw new Error("the numbers of the map are no longer kept: run it again");return new Float32Array(await t.arrayBuffer())}var st=60;function qt({photo:e,site:t,pages:n,onOpen:s,onError:a}){let o=U(),[r,i]=w(!1),[c,f]=w(!1),l=async p=>{f(!0);try{s(await p),a(null)}catch(h){a(h)}f(!1)},m=p=>{let h=[...p??[]].find(x=>x.size);h&&l(zt(h))};M(()=>{let p=h=>h.clipboardData?.files?.length&&m(h.clipboardData.files);return document.addEventListener("paste",p),()=>document.removeEventListener("paste",p)},[]);let $=(p,h)=>{p.preventDefault(),i(h)};return u`<section class="card" aria-label="Photo">
    <div
      class="drop ${r?"over":""} ${e?"":"empty"}"
      onDragOver=${p=>$(p,!0)}
      onDragLeave=${p=>$(p,!1)}
      onDrop=${p=>{$(p,!1),m(p.dataTransfer.files)}}
    >
      ${e?u`<img src=${`api/photos/${e.id}.jpg`} alt=${e.name} class=${e.width<=64?"crisp":""} />`:u`<p><b>Drop a photo here</b><br /><span class="muted">or paste it, or choose one below</span></p>`}
    </div>
    ${e&&u`<p class="photo-name"><b>${e.name}</b> <span class="muted">${e.width} × ${e.height}</span></p>`}
    <div class="bar-of-controls">
      <button type="button" onClick=${()=>o.current.click()} disabled=${c}>
        ${c?"Opening…":"Choose a file"}
      </button>
      <input ref=${o} type="file" accept="image/*" class="offscreen" aria-label="Photo file" tabindex="-1"
        onChange=${p=>{m(p.target.files),p.target.value=""}} />
    </div>
    <${Sn} site=${t} pages=${n} chosen=${e?.row} onChoose=${p=>l(K("rows",{row:p}))} />
  </section>`}function Sn({site:e,pages:t,chosen:n,onChoose:s}){let[a,o]=w([]),[r,i]=w(""),c=e?.count??0;M(()=>{c&&W("items-000").then(h=>o([h]),()=>{})},[c]);let f=Xe(()=>a.flatMap(h=>h.names.map((x,g)=>Ze(h,h.start+g))),[a]),l=async()=>{let h=await W(`items-${String(a.length).padStart(3,"0")}`);o([...a,h])};if(t&&!c)return u`<p class="muted small" role="status">The images of the run appear here when its pages have been written.
      ${t.progress.total?` ${Math.round(100*t.progress.done/t.progress.total)} %`:""}</p>`;if(!c)return null;let m=r.toLowerCase().split(/\s+/).filter(Boolean),$=h=>`${h.name} ${e.classes[h.label]??""} ${e.outputs[h.predicted]??""}`.toLowerCase(),p=f.filter(h=>m.every(x=>$(h).includes(x)));return u`<div class="picker">
    <input type="search" value=${r} placeholder=${`Search ${c} images of the run`} aria-label="Search the images of the run"
      onInput=${h=>i(h.target.value)} />
    <div class="thumbs" tabindex="-1">
      ${p.slice(0,st).map(h=>u`<button type="button" key=${h.row} aria-pressed=${h.row===n}
          title=${h.name} aria-label=${h.name} onClick=${()=>s(h.row)}><${oe} tile=${h.thumb} size=${52} /></button>`)}
    </div>
    <p class="small muted">${p.length} of ${f.length}${p.length>st?`, the first ${st} shown`:""}
      ${f.length<c&&u` <button type="button" class="quiet" onClick=${l}>Load more</button>`}</p>
  </div>`}function Vt(e,t,n){let[s,a]=w(null);return M(()=>{let o=!0;return a(null),t&&A(e,"predict",{photo:t.id}).then(r=>o&&a(r),r=>o&&n(r)),()=>o=!1},[e,t?.id]),s}function Le({classes:e,chosen:t,onChoose:n,caption:s}){return u`<ol class="classes" aria-label=${s}>
    ${e.map(a=>{let o=a.probability??0;return u`<li key=${a.index}>
        <button type="button" aria-pressed=${t===a.label} disabled=${!n} onClick=${()=>n?.(a.label)}>
          <span class="name">${a.label}</span>
          <span class="value">${a.probability===null?C(a.score):B(o)}</span>
          <span class="bar" aria-hidden="true"><i style=${{width:`${100*o}%`}}></i></span>
        </button>
      </li>`})}
  </ol>`}var Mn=12;function Gt(e){let t=(e??"").split(",").map(Number);return t.length===4&&t.every(Number.isInteger)?t:null}function Kt({model:e,photo:t,state:n,job:s,onError:a}){let o=U(),[r,i]=w(null),[c,f]=w(null),[l,m]=w(null),[$,p]=w([]),[h,x]=w(""),g=U(0),S=c?.box??Gt(n.box),b=n.target??"",y=async d=>{let _=++g.current,P=performance.now();try{let{result:T}=await A(e,"cover",{photo:t.id,box:d,target:b});if(_!==g.current)return;let H=performance.now()-P;m({...T,box:d,latency:H}),p(V=>[{...T,box:d},...V.filter(ve=>ve.box.join()!==d.join())].slice(0,Mn)),a(null)}catch(T){_===g.current&&a(T)}};if(M(()=>{m(null),p([])},[t?.id,e,b]),M(()=>{t&&s&&A(e,"prepare_cover",{photo:t.id}).catch(a)},[t?.id,e,!!s]),M(()=>{let d=Gt(n.box);t&&r&&d&&y(d)},[t?.id,e,b,n.box,!!r]),!t)return u`<p class="card muted">Choose a photo first.</p>`;if(!s)return u`<p class="card muted" role="status">Running the model…</p>`;let k=d=>{let _=o.current.getBoundingClientRect(),P=(T,H)=>Math.round(Math.min(1,Math.max(0,T))*H);return[P((d.clientX-_.left)/_.width,r[0]),P((d.clientY-_.top)/_.height,r[1])]},L=([d,_],[P,T])=>{let H=Math.min(d,P,r[0]-1),V=Math.min(_,T,r[1]-1);return[H,V,Math.max(d,P,H+1),Math.max(_,T,V+1)]},z=d=>{if(d.button!==0||!r)return;d.preventDefault(),o.current.focus(),o.current.setPointerCapture(d.pointerId);let _=k(d);f({from:_,box:L(_,_)})},F=d=>c&&f({...c,box:L(c.from,k(d))}),R=d=>{if(!c)return;let _=L(c.from,k(d));f(null),_.join()===n.box&&y(_),N({box:_.join()})},J=d=>{let _={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]};if(!_[d.key]||!r)return;d.preventDefault();let P=Math.max(1,Math.round(r[0]/32)),[T,H]=_[d.key].map(un=>un*P),[V,ve,lt,ct]=S??[r[0]*.375,r[1]*.375,r[0]*.625,r[1]*.625].map(Math.round),le=d.shiftKey?[V,ve,lt+T,ct+H]:[V+T,ve+H,lt+T,ct+H],ut=Math.max(1,Math.min(r[0],le[2]-le[0])),pt=Math.max(1,Math.min(r[1],le[3]-le[1])),dt=Math.min(r[0]-ut,Math.max(0,le[0])),ht=Math.min(r[1]-pt,Math.max(0,le[1]));N({box:[dt,ht,dt+ut,ht+pt].join()},{replace:!0})},I=()=>ge(e,"prepare_cover",{photo:t.id,exports:!0},d=>{x(G.includes(d.status)?d.result?.reason||d.error||"ready":"preparing…")}).catch(a),v=([d,_,P,T])=>({left:`${100*d/r[0]}%`,top:`${100*_/r[1]}%`,width:`${100*(P-d)/r[0]}%`,height:`${100*(T-_)/r[1]}%`});return u`<div class="split">
    <section class="card">
      <h2>Cover a part of the photo</h2>
      <p class="note">Drag a rectangle. It is filled with the mean colour, and the score is computed exactly.
        With the keyboard: arrows move it, <kbd>Shift</kbd> and arrows resize it.</p>
      <div class="cover-stage" ref=${o} tabindex="0" role="application" aria-label="Photo: drag a rectangle, or use the arrow keys"
        onPointerDown=${z} onPointerMove=${F} onPointerUp=${R} onPointerCancel=${()=>f(null)} onKeyDown=${J}>
        <img src=${s.files["photo.png"]} alt=${t.name} draggable=${!1}
          class=${r&&r[0]<=64?"crisp":""} onLoad=${d=>i([d.target.naturalWidth,d.target.naturalHeight])} />
        ${r&&S&&u`<span class="rectangle" style=${v(S)}></span>`}
      </div>
    </section>
    <section class="card stack" aria-live="polite">
      <h2>Score</h2>
      ${l?u`<${Pn} answer=${l} />`:u`<p class="muted">No rectangle yet.</p>`}
      ${l&&u`<div><h3>Most probable classes with it covered</h3><${Le} classes=${l.top} caption="Classes with the rectangle covered" /></div>
        <p class="small muted" id="latency" data-latency=${l.latency} data-seconds=${l.seconds} data-pass=${l.full_pass}>
          ${`${Math.round(l.latency)} ms from the mouse to the number; `}
          ${l.incremental?`only what the rectangle changes was computed, in ${C(1e3*l.seconds,2)} ms (a full pass of the unchanged photo took ${C(1e3*l.full_pass,2)} ms). `:`one full forward pass took ${C(1e3*l.seconds,2)} ms. `}
          ${l.may_be_faster&&!h&&u`<button type="button" class="quiet" onClick=${I}>Prepare the incremental engine</button>`}
          ${h&&u`<span role="status"> Incremental engine: ${h}.</span>`}</p>
        <p class="actions"><${D} text=${l.python}>Copy Python</${D}></p>`}
      ${$.length>1&&u`<div><h3>Rectangles so far</h3><ol class="history">${[...$].sort((d,_)=>d.after-_.after).map(d=>u`<li key=${d.box.join()}>
        <button type="button" class="quiet" onClick=${()=>N({box:d.box.join()})}>${d.box.join(", ")}</button>
        <span class="number">${Jt(d.after-d.before)}</span></li>`)}</ol></div>`}
    </section>
  </div>`}var Jt=e=>`${e<0?"−":"+"}${C(Math.abs(e),3)}`;function Pn({answer:e}){let t=e.after-e.before;return u`<dl class="facts score-facts">
    <div><dt>${e.label}: score</dt><dd id="covered-score">${C(e.after,4)} <span class=${t<0?"down":"up"}>${Jt(t)}</span></dd></div>
    <div><dt>Unchanged photo</dt><dd>${C(e.before,4)}</dd></div>
    ${e.probability_after!==null&&u`<div><dt>Probability</dt><dd>${B(e.probability_before)} → ${B(e.probability_after)}</dd></div>`}
  </dl>`}function En(e){let t=(e.anyOf??[e]).filter(n=>n.type!=="null");return t.length===1?{...e,...t[0]}:{}}function Tn({field:e,value:t,onChange:n,layers:s}){let a=En(e.schema),o=`parameter-${e.name}`,r={id:o,"aria-describedby":`${o}-about`,onChange:f=>n(f.target.value)},i=`default: ${e.default}`,c;if(a.enum||a.type==="boolean"){let f=a.enum??["true","false"];c=u`<select ...${r} value=${t}>
      <option value="">${i}</option>
      ${f.map(l=>u`<option value=${String(l)}>${String(l)}</option>`)}
    </select>`}else if(a.type==="integer"||a.type==="number"){let f=a.type==="integer"?1:"any",l=a.minimum??a.exclusiveMinimum,m=a.maximum??a.exclusiveMaximum;c=u`<input type="number" ...${r} value=${t} placeholder=${i} step=${f} min=${l} max=${m} />`}else{let f=["layer","layers"].includes(e.name)?"layer-names":void 0;c=u`<input type="text" ...${r} value=${t} placeholder=${i} list=${f} />`}return u`<div class="parameter">
    <label for=${o}>${e.name}</label>
    ${c}
    <p id=${`${o}-about`} class="small muted">${e.description} <span class="allowed">${e.allowed}</span></p>
  </div>`}function Xt({explainer:e,values:t,onChange:n,layers:s}){let a=Object.keys(t).length,[o,r]=w(a>0);return u`<details class="parameters" open=${o} onToggle=${i=>r(i.currentTarget.open)}>
    <summary>Parameters of ${e.name}${a?` (${a} changed)`:""}</summary>
    <datalist id="layer-names">${s.map(i=>u`<option value=${i.name}></option>`)}</datalist>
    <div class="grid-of-parameters">
      ${e.fields.map(i=>u`<${Tn} key=${`${e.name}.${i.name}`} field=${i} layers=${s}
        value=${t[i.name]??""} onChange=${c=>n(i.name,c)} />`)}
    </div>
  </details>`}var Yt=255,Qt=e=>e.match(/../g).map(t=>parseInt(t,16));function Nn(e,t,n,s,a){let{width:o,height:r}=t;e.width=o,e.height=r;let i=new ImageData(o,r),c=Qt(t.colours),f=c.length/3-1,[l,m]=s;for(let $=0;$<n.length;$++){let p=n[$];if(Number.isNaN(p))continue;let h=Math.min(1,Math.max(0,(p-l)/(m-l||1))),x=3*Math.round(h*f);i.data.set(c.slice(x,x+3),4*$);let g=t.signed?Math.min(1,Math.abs(p)/m):h;i.data[4*$+3]=a?Math.round(Yt*g):Yt}e.getContext("2d").putImageData(i,0,0)}function ae({photo:e,map:t,mapFile:n,imageFile:s,view:a,range:o,cursor:r,onCursor:i,onPick:c,label:f,children:l}){let m=U(),[$,p]=w(null);M(()=>{let y=!0;return p(null),Ft(n).then(k=>y&&p(k),()=>{}),()=>y=!1},[n]);let h=o??[t.low,t.high];M(()=>{!$||s||Nn(m.current,t,$,h,a.layer==="overlay")},[$,a.layer,h[0],h[1]]);let x=y=>{let k=y.currentTarget.getBoundingClientRect(),L=z=>Math.min(.9999,Math.max(0,z));return[L((y.clientX-k.left)/k.width),L((y.clientY-k.top)/k.height)]},g=$&&r?$[ot(t,r).index]:null,S={opacity:a.layer==="photo"?0:a.layer==="map"?1:a.opacity,imageRendering:a.smooth?"auto":"pixelated"},b=s?u`<img class="over" src=${s} alt="" style=${S} />`:u`<canvas class="over" ref=${m} style=${S}></canvas>`;return u`<div class="map-view">
    <div
      class="map-stage ${c?"pickable":""}"
      onPointerMove=${y=>i(x(y))}
      onPointerLeave=${()=>i(null)}
      onClick=${c&&(y=>c(ot(t,x(y))))}
    >
      <img src=${e} alt=${f} />
      ${b}
      ${r&&u`<span class="cross-x" style=${{left:`${r[0]*100}%`}}></span>
        <span class="cross-y" style=${{top:`${r[1]*100}%`}}></span>`}
      ${l}
    </div>
    <${On} map=${t} range=${h} hidden=${!!s} />
    <p class="readout" aria-live="off">
      ${r&&$?u`<b>${C(g,4)}</b> ${t.unit} at ${jn(t,r)}`:u`<span class="muted">${t.unit}</span>`}
    </p>
  </div>`}function ot(e,[t,n]){let s=Math.floor(t*e.width),a=Math.floor(n*e.height);return{row:a,column:s,index:a*e.width+s}}function jn(e,t){let{row:n,column:s}=ot(e,t);return`row ${n}, column ${s}`}function On({map:e,range:t,hidden:n}){let s=U();if(M(()=>{if(n)return;let o=Qt(e.colours),r=o.length/3,i=new ImageData(r,1);for(let c=0;c<r;c++)i.data.set([...o.slice(3*c,3*c+3),255],4*c);s.current.width=r,s.current.height=1,s.current.getContext("2d").putImageData(i,0,0)},[e.colours,n]),n)return u`<p class="legend-words">Mid-grey is zero; a tint shows which channels are above or below zero.</p>`;let a=e.signed?`${C(t[0])} blue, 0 white, ${C(t[1])} red`:`${C(t[0])} dark, ${C(t[1])} bright`;return u`<div class="legend" role="img" aria-label=${`Colours: ${a}`}>
    <span>${C(t[0])}</span><canvas ref=${s}></canvas><span>${C(t[1])}</span>
  </div>`}var Dn=24,Ln=0;function Rn(e){let[t,n]=w(null);return M(()=>{A(0,"explainers",{}).then(a=>n(a.result),e)},[]),[t,async a=>{try{let{result:o}=await A(0,"explainers",{family:a});n(r=>({...r,explainers:[...r.explainers,...o.explainers],families:r.families.filter(i=>i!==a)}))}catch(o){e(o)}}]}var An=e=>Object.fromEntries(Object.entries(e).filter(([t])=>t.startsWith("p.")).map(([t,n])=>[t.slice(2),n]));function Zt({models:e,model:t,photo:n,state:s,prediction:a,onError:o}){let[r,i]=Rn(o),[c,f]=w(null),[l,m]=w([]),[$,p]=w({layer:"overlay",opacity:.8,smooth:!1,shared:!1}),[h,x]=w(!1),[g,S]=w(null);if(M(()=>{De(t).then(f,o)},[t]),M(()=>{let v=P=>P.target.matches?.("input, textarea, select, button, summary, a"),d=P=>{P.key!==" "||v(P)||(P.preventDefault(),x(!0))},_=P=>P.key===" "&&x(!1);return document.addEventListener("keydown",d),document.addEventListener("keyup",_),()=>{document.removeEventListener("keydown",d),document.removeEventListener("keyup",_)}},[]),!r)return u`<p class="card muted" role="status">Loading the model and its explainers…</p>`;let b=r.explainers.find(v=>v.name===s.explainer)??r.explainers.find(v=>v.name==="occlusion")??r.explainers[0],y=An(s),k=(v,d)=>m(_=>_.map(P=>P.key===v?{...P,...d}:P)),L=async(v,d)=>{let _=++Ln,P={key:_,model:v,explainer:b.name,photo:n,target:d,job:null};m(T=>[P,...T].slice(0,Dn));try{let T=b.needs_image,H={explainer:b.name,parameters:y,target:d,photo:T?n.id:null};await ge(v,"explain",H,V=>k(_,{job:V}))}catch(T){k(_,{job:{status:"failed",error:T.message,progress:{}}})}},z=v=>{v.preventDefault();let d=s.run==="classes"&&a?a.map(P=>String(P.index)).slice(0,3):[s.target??""],_=s.run==="models"?e.map((P,T)=>T):[t];for(let P of _)for(let T of d)L(P,T)},F=at(r.explainers,v=>v.distribution),R=b.needs_image&&!n,J=h?{...$,layer:"photo"}:$,I=$.shared?In(l):new Map;return u`<div class="stack">
    <form class="card explain-form" onSubmit=${z}>
      <div class="bar-of-controls">
        <label class="field">Explainer
          <select name="explainer" value=${b.name} onChange=${v=>{if(v.target.value.startsWith("+"))return i(v.target.value.slice(1));let d=Object.fromEntries(Object.keys(y).map(_=>[`p.${_}`,null]));return N({...d,explainer:v.target.value})}}>
            ${[...F].map(([v,d])=>u`<optgroup label=${v}>
              ${d.map(_=>u`<option value=${_.name}>${_.name}</option>`)}</optgroup>`)}
            ${r.families.length>0&&u`<optgroup label="load more">
              ${r.families.map(v=>u`<option value=${`+${v}`}>${v}.…</option>`)}</optgroup>`}
          </select></label>
        ${b.uses_target&&u`<label class="field">Target
          <input type="text" name="target" list="targets" value=${s.target??""} placeholder="the most probable class"
            onChange=${v=>N({target:v.target.value})} /></label>
          <datalist id="targets">${(c?.labels??[]).slice(0,2e3).map(v=>u`<option value=${v}></option>`)}</datalist>`}
        ${b.uses_target&&u`<label class="field">Run for
          <select name="run" value=${s.run??""} onChange=${v=>N({run:v.target.value})}>
            <option value="">this target</option>
            <option value="classes">the three most probable classes</option>
            ${e.length>1&&u`<option value="models">all models</option>`}
          </select></label>`}
        <button type="submit" class="primary" disabled=${R}>Run</button>
        ${R&&u`<span class="muted small">Choose a photo first.</span>`}
      </div>
      <p class="note">${b.summary} <span class="badge">${b.distribution||"this session"}</span>
        ${b.needs_run&&u` Write <code>@run</code> for the run that is open.`}</p>
      <${Xt} explainer=${b} values=${y} layers=${c?.layers??[]}
        onChange=${(v,d)=>N({[`p.${v}`]:d})} />
    </form>
    ${Object.entries(r.unavailable).map(([v,d])=>u`<p class="note">${v}: ${d}</p>`)}
    ${l.length>0&&u`<${Un} view=${$} onChange=${p} count=${l.length} onClear=${()=>m([])} />`}
    <div class="cards" role="list" aria-label="Results">
      ${l.map(v=>u`<${Hn} key=${v.key} card=${v} models=${e} view=${J}
        range=${I.get(v.key)} cursor=${g} onCursor=${S} onError=${o}
        onRemove=${()=>m(d=>d.filter(_=>_.key!==v.key))} />`)}
    </div>
    <${Fn} cards=${l} />
  </div>`}function at(e,t){let n=new Map;for(let s of e){let a=t(s)||"this session";n.set(a,[...n.get(a)??[],s])}return n}function In(e){let t=e.filter(s=>s.job?.result?.map&&!s.job.files["map.png"]),n=new Map;for(let[,s]of at(t,a=>`${a.job.result.map.unit}|${a.job.result.map.signed}`)){let a=Math.min(...s.map(r=>r.job.result.map.low)),o=Math.max(...s.map(r=>r.job.result.map.high));for(let r of s)n.set(r.key,[a,o])}return n}function Un({view:e,onChange:t,count:n,onClear:s}){let a=r=>t({...e,...r}),o=(r,i)=>u`<button type="button" aria-pressed=${e.layer===r} onClick=${()=>a({layer:r})}>${i}</button>`;return u`<div class="bar-of-controls view-controls" role="group" aria-label="View of the maps">
    <span class="joined">${o("overlay","Over photo")}${o("map","Map")}${o("photo","Photo")}</span>
    <label class="field">Opacity <input type="range" min="0" max="1" step="0.05" value=${e.opacity}
      onInput=${r=>a({opacity:Number(r.target.value)})} /></label>
    <label class="field"><input type="checkbox" checked=${e.smooth} onChange=${r=>a({smooth:r.target.checked})} /> Smooth</label>
    <label class="field"><input type="checkbox" checked=${e.shared} onChange=${r=>a({shared:r.target.checked})} /> One scale per unit</label>
    <span class="muted small">Hold <kbd>Space</kbd> for the photo alone.</span>
    <button type="button" class="quiet" onClick=${s}>Remove all ${n}</button>
  </div>`}function Hn({card:e,models:t,view:n,range:s,cursor:a,onCursor:o,onRemove:r,onError:i}){let{job:c,explainer:f}=e,l=c?.result,m=l?.targets?.[0],$=u`<header class="card-head">
    <h2>${f}${l?.layer?u` <span class="muted">${l.layer}</span>`:""}</h2>
    <button type="button" class="quiet" aria-label=${`Remove ${f}`} onClick=${r}>✕</button>
    <p class="small muted">
      ${m&&u`<b>${m.label}</b> ${m.quantity} ${C(m.score,4)} · `}
      ${t.length>1&&u`${t[e.model].name} · `}${e.photo?.name??""}
      ${l&&u` · ${C(l.seconds,2)} s`}</p>
  </header>`;return u`<article class="card result" role="listitem" data-status=${c?.status??"starting"}>
    ${$}<${Bn} card=${e} view=${n} range=${s} cursor=${a} onCursor=${o} onError=${i} />
  </article>`}function Bn({card:e,view:t,range:n,cursor:s,onCursor:a,onError:o}){let{job:r}=e;if(!r||!G.includes(r.status)){let{description:l,done:m,total:$}=r?.progress??{};return u`<div class="running" role="status">
      <progress max=${$||void 0} value=${$?m:void 0}></progress>
      <p class="small muted">${r?.status==="running"?l||"computing":"waiting for the model"}
        ${$?` ${Math.round(m)} of ${Math.round($)}`:""}</p>
      ${r?.id&&u`<button type="button" onClick=${()=>nt(r.id).catch(o)}>Cancel</button>`}
    </div>`}if(r.status==="cancelled")return u`<p class="muted" role="status">Cancelled.</p>`;if(r.status==="failed")return u`<p class="problem" role="alert">${r.error}</p>`;let{result:i,files:c}=r,f=i.map&&c["photo.png"];return u`
    ${f?u`<${ae} photo=${c["photo.png"]} map=${i.map} mapFile=${c["values.bin"]} imageFile=${c["map.png"]}
          view=${t} range=${n} cursor=${s} onCursor=${a} label=${e.photo?.name??""} />`:u`<${Wn} pictures=${i.pictures} files=${c} />`}
    ${i.notes.map(l=>u`<p class="note">${l}</p>`)}
    ${i.map?.note&&u`<p class="note">${i.map.note}</p>`}
    <details class="small"><summary>Numbers and parameters</summary>
      <dl class="pairs">${i.measures.map(([l,m])=>u`<div><dt>${l}</dt><dd>${m}</dd></div>`)}
        ${Object.entries(i.parameters).map(([l,m])=>u`<div><dt>${l}</dt><dd>${m}</dd></div>`)}</dl>
    </details>
    <${zn} card=${e} onError=${o} />`}function Wn({pictures:e,files:t}){let n=s=>u`<figure key=${s.file}>
    <a href=${t[s.file]} target="_blank" rel="noopener"><img class="picture" src=${t[s.file]} alt=${s.caption} /></a>
    <figcaption class="small muted">${s.caption}</figcaption></figure>`;return u`${e.slice(0,1).map(n)}
    ${e.length>1&&u`<details><summary>${e.length-1} further pictures</summary>${e.slice(1).map(n)}</details>`}`}function zn({card:e,onError:t}){let{result:n,files:s}=e.job,a=async o=>{try{let r=await A(e.model,"draw",{result:n.result,format:o}),[[i,c]]=Object.entries(r.files),f=document.createElement("a");f.href=c,f.download=`${e.explainer}-${i}`,f.click()}catch(r){t(r)}};return u`<p class="actions">
    <${D} text=${n.python}>Copy Python</${D}>
    <${D} text=${n.shell}>Copy shell</${D}>
    ${["png","svg","pdf"].map(o=>u`<button type="button" class="quiet" onClick=${()=>a(o)}>${o.toUpperCase()}</button>`)}
    ${s["values.bin"]&&u`<a class="quiet button" href=${s["values.bin"]} download=${`${e.explainer}.f32`} title="float32, row by row">Numbers</a>`}
  </p>`}function Fn({cards:e}){let[t,n]=w(null),a=[...at(e.filter(c=>c.job?.status==="done"&&c.job.result.map),c=>`${c.model}|${c.photo?.id}`).values()].find(c=>c.length>1)?.slice(0,6).reverse()??[],o=a.map(c=>c.job.result.result).join(),r=U(o);if(r.current=o,M(()=>{n(null),!(a.length<2)&&A(a[0].model,"agreement",{results:o.split(",")}).then(c=>r.current===o&&n(c.result.pairs),()=>{})},[o]),!t)return null;let i=c=>`${a[c].explainer}${a[c].job.result.targets[0]?`, ${a[c].job.result.targets[0].label}`:""}`;return u`<section class="card"><h2>Agreement of the maps</h2>
    <div class="scroll"><table><thead><tr><th>maps</th><th class="number">rank correlation</th><th class="number">overlap of the top 10 %</th></tr></thead>
    <tbody>${t.map(c=>u`<tr><th>${i(c.pair[0])} — ${i(c.pair[1])}</th>
      ${c.reason?u`<td colspan="2" class="muted">${c.reason}</td>`:u`<td class="number">${C(c.rank_correlation,2)}</td><td class="number">${B(c.overlap)}</td>`}</tr>`)}
    </tbody></table></div></section>`}function en({model:e,photo:t,site:n,state:s,onError:a}){let[o,r]=w(null),i=Math.min(100,Math.max(1,Number(s.k)||12));if(M(()=>{let l=!0;r(null);let m=s.near||null;return t&&A(e,"neighbours",{photo:t.id,k:i,layer:m}).then($=>l&&r($),$=>l&&(a($),r({failed:!0}))),()=>l=!1},[e,t?.id,i,s.near]),!t)return u`<p class="card muted">Choose a photo first.</p>`;if(!o)return u`<p class="card muted" role="status">Searching the run…</p>`;if(o.failed)return null;let{result:c}=o,f=(n?.count??0)>0;return u`<section class="card">
    <div class="head"><h2>Nearest images of the run</h2><span class="sub">${c.unit} of ${c.layer}</span>
      ${c.layers.length>1&&u`<label class="field">Features of <select name="near" value=${c.layer} onChange=${l=>N({near:l.target.value})}>
        ${c.layers.map(l=>u`<option key=${l} value=${l}>${l}</option>`)}</select></label>`}
      <label class="field">Show <input type="number" min="1" max="100" value=${i} onChange=${l=>N({k:l.target.value})} /></label>
      <${D} text=${c.python}>Copy Python</${D}></div>
    <ol class="neighbours">${c.found.map(l=>u`<li key=${l.id}>
      <a href=${f&&l.row!==null?je(l.row):`#row=${l.row}&mode=neighbours`}>
        ${f&&l.row!==null?u`<${Wt} row=${l.row} size=${112} />`:u`<span class="tile missing"></span>`}
        <span class="name">${f&&l.row!==null?u`<${qn} row=${l.row} site=${n} />`:l.class??l.id}</span></a>
      ${l.row!==null&&l.row===t.row?u`<span class="badge">this photo</span>`:u`<span class="small muted">${C(l.distance,3)}</span>`}
      <button type="button" class="quiet small" onClick=${()=>N({row:l.row})} disabled=${l.row===null||l.row===t.row}>Open</button></li>`)}</ol>
  </section>`}function qn({row:e,site:t}){let[n]=ee(()=>_e(e),[e]);return u`${n?t.classes[n.label]??n.name:""}`}var Vn=64,re=e=>`${(100*e).toFixed(3)}%`;function tn([e,t],n){let[s,a,o,r]=n??[0,0,t,e],i=Math.max(o-s,r-a),c=(s+o-i)/2,f=(a+r-i)/2;return{width:t/i,height:e/i,left:-c/i,top:-f/i}}var Gn=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),rt=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,re(n)]));function Kn(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=re((1-(e[2]-e[0])/t)/2);return`inset(${re((1-(e[3]-e[1])/t)/2)} ${n})`}function Jn({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let c={width:re(n.columns),height:re(n.rows),left:re(-n.rank),top:re(-n.row)};return u`<img src=${q(n.atlas)} alt=${`guided gradient of ${s}`} style=${c} onError=${n.onError} />`}if(!a?.preview&&a?.thumb)return u`<${oe} tile=${a.thumb} size=${Vn} label=${s} className="centered" />`;if(!a?.preview)return u`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let r=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return u`<span class="photo" style=${rt(tn(a.size,null))}>
      <img class=${r} src=${q(a.preview)} alt=${s} />
      ${o&&u`<span class="box" style=${rt(Gn(a.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":r;return u`<span class="window" style=${{clipPath:Kn(o)}}>
    <img class=${i} src=${q(a.preview)} alt=${s} style=${rt(tn(a.size,o))} /></span>`}function it({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o,isLoading:r}){let{image:i}=e,c=i?.label===null||i?.label===void 0?"":s.classes[i.label],f=i?.name??"",l=c||f,m=i&&s.has.images?je(i.row):null,$=`top ${t+1}: ${l}, activation ${C(e.value)}`,p=u`<span class="frame">${!r&&u`<${Jn} ...${{patch:e,mode:n,guided:a,alt:$}} />`}</span>`;return u`<figure class=${o?"":"faded"}>
    ${m?u`<a href=${m} title=${f}>${p}</a>`:u`<span title=${f}>${p}</span>`}
    <figcaption><b>${C(e.value)}</b> <span title=${l}>${l}</span>
      ${i?.correct===!1&&u`<span class="badge bad" title=${`predicted: ${s.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var Yn=130,Qs=Yn-22;var Qn=200;var Zn=(e,t)=>String(Math.floor(e/t)).padStart(3,"0"),ie=new Map,es=(e,t,n="units")=>`${e}/${n}/${t}`;async function nn(e,t,n,s="units"){let a=es(e,t,s),o=ie.get(a)??await ts(e,t,n,s);return ie.has(a)||ie.set(a,o),ie.size>Qn&&ie.delete(ie.keys().next().value),ie.get(a)}async function ts(e,t,n,s){let o=(await W(`layer/${e}/${s}-${Zn(t,n.block)}`))[t%n.block],r=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await _e(i.row)})));return{...o,patches:r}}var pe=420,Re=96,be=Re-20;function sn({place:e}){if(!e)return null;if(e.problem)return u`<p class="problem">${e.problem}</p>`;let{value:t,rank:n,best:s,images:a,histogram:o}=e,r=n<=s.length?`at rank ${n} among the ${s.length} top patches of the ${a} images`:`below the ${s.length} top patches of the ${a} images (${C(s.at(-1))} to ${C(s[0])})`;return u`<div class="place-in-run">
    <p>In the run this photo (${C(t,4)}) would be <b>${r}</b>.</p>
    ${o&&u`<${ns} ...${o} value=${t} />`}
  </div>`}function ns({edges:e,counts:t,below:n,not_above:s,value:a}){let o=Math.log10(Math.max(...t)+1),r=pe/t.length,[i,c]=[e[0],e.at(-1)],f=Math.min(pe-1.5,Math.max(1.5,pe*(a-i)/(c-i||1))),m=`${n===s?B(n):`${B(n)} to ${B(s)}`} of the images have a lower maximum than ${C(a)}`;return u`<svg class="histogram" viewBox="0 0 ${pe} ${Re}" role="img" aria-label=${m}>
      ${t.map(($,p)=>{let h=$?Math.max(1.5,(be-8)*Math.log10($+1)/o):0;return u`<rect key=${p} class="fires" x=${p*r+.5} y=${be-h} width=${Math.max(.5,r-1)} height=${h} />`})}
      <line x1="0" x2=${pe} y1=${be+.5} y2=${be+.5} />
      <line class="mark" x1=${f} x2=${f} y1="0" y2=${be} />
      <text x="0" y=${Re-5}>${C(i)}</text>
      <text x=${pe} y=${Re-5} text-anchor="end">${C(c)}</text>
    </svg>
    <p class="note">${m} (the line). Highest value of each image; heights are logarithmic.</p>`}function on({site:e,layer:t,unit:n}){let a=e?.layers?.find(c=>c.name===t&&c.pages.layer)?.slug,[o,r]=ee(async()=>{if(!a)return null;let c=await W(`layer/${a}/units`);return n<c.count?nn(a,n,c):null},[a,n]);if(r||!o?.patches.length||o.unit!==n)return null;let i=o.patches[0].value;return u`<section class="card" aria-labelledby="top-title">
    <h2 id="top-title">Top patches of unit ${n} in the run</h2>
    <ol class="patches in-a-row">${o.patches.map((c,f)=>u`<li key=${f}>
      <${it} ...${{patch:c,rank:f,mode:"crop",site:e,highest:i,guided:null,isMeant:!0}} />
      ${c.row!==null&&u`<a class="small" href=${`#row=${c.row}&mode=units&${new URLSearchParams({layer:t,unit:n})}`}>Open here</a>`}
    </li>`)}</ol>
  </section>`}var ss={layer:"overlay",opacity:.85,smooth:!1},an=512,os={layer:"map",opacity:1,smooth:!1};function ln({model:e,photo:t,site:n,state:s,canNote:a,onError:o}){let[r,i]=w(null),[c,f]=w(null),[l,m]=w(null),[$,p]=w(null);M(()=>{i(null),De(e).then(i,o)},[e]);let h=(r?.layers??[]).filter(d=>d.shape.length===3),x=h.find(d=>d.default_for.includes("activations"))??h.at(-1),g=h.find(d=>d.name===s.layer)??x,S=/^\d+$/.test(s.unit??"")?Math.min(Number(s.unit),(g?.shape[0]??1)-1):null,b=S??c?.result.unit??0,y=/^\d+,\d+$/.test(s.at??"")?s.at.split(",").map(Number):null;if(M(()=>{let d=!0;return f(null),t&&g&&A(e,"unit_map",{photo:t.id,layer:g.name,unit:S}).then(_=>d&&f(_),_=>d&&o(_)),()=>d=!1},[e,t?.id,g?.name,S]),M(()=>{let d=!0;return m(null),t&&g&&y&&A(e,"unit_gradient",{photo:t.id,layer:g.name,unit:b,y:y[0],x:y[1]}).then(_=>d&&m(_),_=>d&&o(_)),()=>d=!1},[e,t?.id,g?.name,b,s.at]),!r)return u`<p class="card muted" role="status">Loading the model…</p>`;if(!g)return u`<p class="card muted">The model has no layer with maps.</p>`;let k=d=>N({at:null,...d}),L=g.shape[0],{pages:z,slug:F}=n?.layers?.find(d=>d.name===g.name)??{},R=z?.layer,[J,I]=g.shape.slice(1),v=l?.result.box;return u`<div class="stack">
    <div class="card bar-of-controls">
      <label class="field">Layer <select name="layer" value=${g.name} onChange=${d=>k({layer:d.target.value,unit:null})}>
        ${h.map(d=>u`<option value=${d.name}>${d.name} · ${d.shape.join(" × ")}</option>`)}</select></label>
      <span class="unit-choice" role="group" aria-label="Unit">
        <button type="button" aria-label="Previous unit" disabled=${b<=0} onClick=${()=>k({layer:g.name,unit:b-1})}>←</button>
        <label class="field">Unit <input type="number" name="unit" min="0" max=${L-1} value=${b}
          onChange=${d=>k({layer:g.name,unit:d.target.value})} /></label>
        <button type="button" aria-label="Next unit" disabled=${b>=L-1} onClick=${()=>k({layer:g.name,unit:b+1})}>→</button>
        <span class="muted">of ${L}</span></span>
      ${R&&u`<a href=${`${q(R)}#unit=${b}`}>Page of this unit</a>`}
    </div>
    ${c&&u`<section class="card" aria-labelledby="strongest-title">
      <h2 id="strongest-title">Most active units of ${g.name} on this photo</h2>
      <ol class="strongest">${c.result.strongest.map(d=>u`<li key=${d.unit}><button type="button"
        aria-pressed=${String(d.unit===b)} onClick=${()=>k({layer:g.name,unit:d.unit})}>
        ${R&&u`<${as} slug=${F} unit=${d.unit} />`}
        <b>${d.unit}</b> <span class="muted">${C(d.value)}</span></button></li>`)}</ol>
      ${c.result.strongest.length>1&&c.result.strongest[0].value===c.result.strongest.at(-1).value&&u`<p class="note">They all have the same highest value, and are ordered by the mean of their maps.</p>`}
    </section>`}
    <div class="split even">
      <section class="card">
        <h2>Where the unit is active</h2>
        ${t?c?u`
          <${ae} photo=${`api/jobs/${c.id}/files/photo.png`} map=${c.result.map} mapFile=${c.files["values.bin"]} view=${ss}
            cursor=${$} onCursor=${p} label=${t.name}
            onPick=${({row:d,column:_})=>N({layer:g.name,unit:b,at:`${d},${_}`})}>
            ${v&&u`<${rn} box=${v} size=${[r.width,r.height]} />`}
          </${ae}>
          <p class="note">Largest activation ${C(c.result.value,4)}. Receptive field ${c.result.receptive_field}. Click a position, or
            ${" "}<button type="button" class="quiet" onClick=${()=>rs(c,J,I).then(d=>N({layer:g.name,unit:b,at:d}),o)}>the strongest one</button>,
            to see what drives the unit there.</p>
          <${sn} place=${c.result.place} />`:u`<p class="muted" role="status">Running the model…</p>`:u`<p class="muted">Choose a photo first.</p>`}
      </section>
      <section class="card" aria-live="polite">
        <h2>What drives it ${y&&u`<span class="muted">at row ${y[0]}, column ${y[1]}</span>`}</h2>
        ${y?l?u`
          ${l.result.map?u`<${ae} photo=${l.files["photo.png"]} map=${l.result.map} mapFile=${l.files["values.bin"]}
                imageFile=${l.files["map.png"]} view=${os} cursor=${$} onCursor=${p} label=${t.name}>
                ${v&&u`<${rn} box=${v} size=${[r.width,r.height]} />`}</${ae}>`:l.result.pictures.map(d=>u`<img class="picture" src=${l.files[d.file]} alt=${d.caption} />`)}
          <p class="note">Guided gradient of ${l.result.targets[0]?.label} (activation ${C(l.result.targets[0]?.score,4)}).
            ${v?` The frame is its receptive field, ${v[2]-v[0]} × ${v[3]-v[1]} pixels. `:" Its receptive field is the whole image. "}
            ${l.result.notes.join(" ")}</p>
          <p class="actions"><${D} text=${l.result.python}>Copy Python</${D}><${D} text=${l.result.shell}>Copy shell</${D}></p>`:u`<p class="muted" role="status">Computing the gradient…</p>`:u`<p class="muted">Click a position of the map.</p>`}
      </section>
    </div>
    <${on} site=${n} layer=${g.name} unit=${b} />
    ${a&&(c||S!==null)&&u`<${is} key=${`${g.name}:${b}`} layer=${g.name} unit=${b} onError=${o} />`}
  </div>`}function as({slug:e,unit:t}){let[n]=ee(()=>W(`layer/${e}/layer`),[e]),s=n?.sheets[Math.floor(t/an)];return u`<${oe} tile=${s&&{...s,index:t%an}} size=${64} />`}async function rs(e,t,n){let s=new Float32Array(await(await fetch(e.files["values.bin"])).arrayBuffer()),a=s.indexOf(Math.max(...s));return`${Math.floor(a/n)},${a%n}`}function rn({box:[e,t,n,s],size:[a,o]}){let r={left:`${100*e/a}%`,top:`${100*t/o}%`,width:`${100*(n-e)/a}%`,height:`${100*(s-t)/o}%`};return u`<span class="field-box" style=${r}></span>`}function is({layer:e,unit:t,onError:n}){let[s,a]=w(null),[o,r]=w(!1);if(M(()=>{ue("notes").then(f=>a(f[e]?.[t]??{label:"",note:""}),n)},[]),!s)return null;let i=f=>{r(!1),a({...s,[f.target.name]:f.target.value})};return u`<form class="card note-form" onSubmit=${async f=>{f.preventDefault();try{await K("notes",{layer:e,unit:t,...s}),r(!0)}catch(l){n(l)}}}>
    <h2>Your note on unit ${t} of ${e}</h2>
    <label>Label <input type="text" name="label" maxlength="200" value=${s.label} onInput=${i} placeholder="for example: dog faces" /></label>
    <label>Note <textarea name="note" rows="2" maxlength="4000" value=${s.note} onInput=${i}></textarea></label>
    <p class="bar-of-controls"><button type="submit">Save</button><span class="small muted" role="status">${o?"Saved in the run folder.":""}</span></p>
  </form>`}var de=[["explain","Explain"],["cover","Cover"],["units","Units"],["neighbours","Neighbours"]],ls=1500,cs=500;function us(e){let[t,n]=w(null),[s,a]=w(null),o=t&&t.pages?.status==="done";return M(()=>{let r,i=async()=>{try{let c=await ue("state");n(c),c.pages&&!G.includes(c.pages.status)&&(r=setTimeout(i,ls))}catch(c){e(c)}};return i(),()=>clearTimeout(r)},[]),M(()=>{t&&(window.convvizShared.chunks.delete("site"),Ne().then(a,e))},[!!t,o]),[t,s]}function ps(){let e=Qe(),[t,n]=w(null),[s,a]=us(n),[o,r]=w(null),i=U(null),c=de.some(([h])=>h===e.mode)?e.mode:"explain",f=Math.min(Number(e.model)||0,(s?.models.length??1)-1),l=Vt(f,o,n);M(()=>{let h=/^\d+$/.test(e.row??"")?Number(e.row):null;h===null||i.current===h||(i.current=h,K("rows",{row:h}).then(x=>i.current===h&&r(x),n))},[e.row]);let m=h=>{i.current=h.row,r(h),N({row:h.row,box:null,at:null,target:null})},$=s&&a&&(!o||l||t);if(M(()=>$&&et(),[!!$]),!s)return t?u`<p class="card problem" role="alert">${t.message}.</p>`:null;let p={model:f,models:s.models,photo:o,site:a,state:e,job:l,prediction:l?.result.classes,onError:n};return u`<div class="workbench">
    <div class="head"><h1>Workbench</h1>
      ${s.models.length>1?u`<label class="field">Model <select name="model" value=${f} onChange=${h=>N({model:h.target.value})}>
            ${s.models.map((h,x)=>u`<option value=${x}>${h.name}</option>`)}</select></label>`:u`<span class="sub">${s.models[0].name}</span>`}
    </div>
    ${t&&u`<p class="card problem banner" role="alert">${t.message} <button type="button" class="quiet" onClick=${()=>n(null)}>Dismiss</button></p>`}
    <div class="bench">
      <div class="stack side">
        <${qt} photo=${o} site=${a} pages=${s.pages&&s.pages.status!=="done"?s.pages:null} onOpen=${m} onError=${n} />
        ${o&&u`<section class="card" aria-label="Prediction"><h2>Prediction</h2>
          ${l?u`<${Le} classes=${l.result.classes} chosen=${e.target} caption="Most probable classes"
              onChoose=${h=>N({target:h===e.target?null:h})} />
            <p class="small muted">Click a class to make it the target.</p>`:u`<p class="muted" role="status">Running the model…</p>`}
        </section>`}
      </div>
      <div class="stack main">
        <div class="tabs" role="tablist" aria-label="Tools">
          ${de.map(([h,x])=>u`<button type="button" role="tab" id=${`tab-${h}`} aria-selected=${c===h} aria-controls="tool"
            tabindex=${c===h?0:-1} onClick=${()=>N({mode:h})}
            onKeyDown=${g=>ds(g,h)}>${x}</button>`)}
        </div>
        <div id="tool" role="tabpanel" aria-labelledby=${`tab-${c}`}>
          <div hidden=${c!=="explain"}><${Zt} ...${p} /></div>
          ${c==="cover"&&u`<${Kt} ...${p} />`}
          ${c==="units"&&u`<${ln} ...${p} canNote=${s.notes} />`}
          ${c==="neighbours"&&u`<${en} ...${p} />`}
        </div>
      </div>
    </div>
  </div>`}function ds(e,t){let n={ArrowRight:1,ArrowLeft:-1}[e.key];if(!n)return;e.preventDefault();let s=de.findIndex(([o])=>o===t),[a]=de[(s+n+de.length)%de.length];N({mode:a}),document.getElementById(`tab-${a}`).focus()}async function hs(){let e=await Ne().catch(()=>null),t=location.pathname.match(/layer\/([^/]+)\.html$/)?.[1],n=e?.layers.find(o=>o.slug===t)?.name??"",s=document.createElement("a");s.className="to-workbench";let a=()=>{let{id:o,unit:r}=me(),i=document.body.dataset.page,c=r!==void 0;s.hidden=!(c||i==="image"&&o!==void 0),s.textContent=c?`Try unit ${r} on a photo`:"Explain this image",s.href=`${Z}live.html#${new URLSearchParams(c?{mode:"units",layer:n,unit:r}:{row:o??""})}`};for(let o of["convviz:state","hashchange","popstate"])window.addEventListener(o,a);a(),document.body.append(s)}async function fs(){let[e,t,n]=["step","progress","count"].map(s=>document.getElementById(s));if(e)for(;;){let s=await ue("state").then(a=>a.pages,()=>null);if(s&&G.includes(s.status))return location.reload();if(s){let{description:a,done:o,total:r}=s.progress;e.textContent=a||"starting",n.textContent=r?`${o} of ${r}. `:"",r?[t.max,t.value]=[r,o]:t.removeAttribute("value")}await new Promise(a=>setTimeout(a,cs))}}var cn=document.getElementById("workbench");cn?qe(u`<${ps} />`,cn):document.body.dataset.page==="preparing"?fs():hs();})();
